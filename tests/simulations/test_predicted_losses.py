"""The table of predicted and measured losses, of a tiny comparison."""

import json

import pytest

from deeptheory.errors import InputError
from deeptheory.runs import steps
from deeptheory.runs.configuration import config_from
from deeptheory.runs.run import Run
from tests.conftest import TINY
from tests.scripts import FIGURES, load_script

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    compared = {"criteria": ["magnitude", "random"], "densities": [0.5, 0.2], "predict": True}
    directory = tmp_path_factory.mktemp("compared") / "tiny"
    run = Run.create(directory / "seed-3", config_from({**TINY, "compare": compared}), quiet=True)
    steps.compare(run)
    return directory


def test_the_table_counts_the_masks_of_every_comparison_and_of_all(
    script, compared, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "losses.json"
    monkeypatch.setattr("sys.argv", ["script", str(compared), str(compared), "--out", str(out)])
    script.main()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    together = next(line for line in lines if line[:1] == ["together"])
    assert next(line[:2] for line in lines if line[:1] == [str(compared)]) == [str(compared), "4"]
    assert together[1] == "4"
    masks = json.loads(out.read_text())["masks"]
    error = sum(abs(loss["predicted"] - loss["measured"]) for loss in masks[str(compared)]) / 4
    assert together[2] == f"{100 * error:.2f}"
    monkeypatch.setattr("sys.argv", ["figure", str(out), "--out", str(tmp_path)])
    monkeypatch.syspath_prepend(FIGURES)
    load_script(FIGURES / "compared_losses.py").main()
    assert (tmp_path / "compared-losses.pdf").is_file()


def test_a_comparison_without_predictions_is_refused(script, finished_study, monkeypatch):
    monkeypatch.setattr("sys.argv", ["script", str(finished_study)])
    with pytest.raises(InputError, match="expected predicted and retrained masks, found none"):
        script.main()
