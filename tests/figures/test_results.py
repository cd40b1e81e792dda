"""Results of simulations as the scripts of figures read them."""

import pytest

from deeptheory.errors import InputError
from tests.scripts import FIGURES, load_script


@pytest.fixture
def read():
    return load_script(FIGURES / "command_line.py").read_results


def test_an_entry_that_an_older_version_did_not_write_is_asked_for(read, tmp_path):
    path = tmp_path / "old.json"
    path.write_text('{"runs": {"a": {"x": 1}}}')
    results = read(path)
    assert results["runs"]["a"]["x"] == 1
    for table in (results, results["runs"]["a"]):
        with pytest.raises(InputError, match=r"'chance' in .*old\.json: .*run its simulation again"):
            table["chance"]


@pytest.mark.parametrize("text", [None, "{"])
def test_no_json_is_refused(read, tmp_path, text):
    path = tmp_path / "results.json"
    if text:
        path.write_text(text)
    with pytest.raises(InputError, match=r"expected a JSON file of a simulation"):
        read(path)
