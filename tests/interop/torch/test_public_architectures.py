"""The table of docs/interop.md is what the script that writes it finds."""

import pytest

from tests.scripts import SIMULATIONS, load_script

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore")]
LINES = (SIMULATIONS.parent / "docs" / "interop.md").read_text(encoding="utf-8").splitlines()
ROWS = [line for line in LINES if line.startswith("| ") and not line.startswith("| architecture |")]


@pytest.fixture(scope="module")
def script():
    return load_script(SIMULATIONS / "live_architectures.py")


@pytest.mark.parametrize("row", ROWS, ids=[row.split()[1] for row in ROWS])
def test_a_row_of_the_table(row, script):
    name = row.split()[1]
    for package in (script.ARCHITECTURES[name][0], "torch_pruning", "onnx"):
        pytest.importorskip(package)
    assert script.table({name: script.tried(name)})[-1] == row


def test_at_least_thirty_architectures_are_in_the_table(script):
    assert len({row.split()[1] for row in ROWS} & script.ARCHITECTURES.keys()) == len(ROWS) >= 30
