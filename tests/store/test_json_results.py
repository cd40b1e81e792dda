"""A study goes on with its file of results, and with no other."""

import pytest

from deeptheory.errors import InputError
from deeptheory.store.json_results import store_results, stored_results

SETTING = {"inputs": 40, "seeds": [0, 1]}


def test_what_is_stored_comes_back_and_is_not_made_anew(tmp_path):
    path = tmp_path / "out" / "study.json"
    results = stored_results(path, SETTING, lambda: {"errors": {}})
    assert results == {"setting": SETTING, "errors": {}}
    results["errors"]["0"] = [0.5]
    store_results(path, results)
    assert stored_results(path, SETTING, None) == results


def test_another_setting_is_refused_by_what_differs(tmp_path):
    path = tmp_path / "study.json"
    store_results(path, {"setting": SETTING})
    text = (
        r"results in .*study\.json: expected the same inputs, found inputs = 40; name another file with --out"
    )
    with pytest.raises(InputError, match=text):
        stored_results(path, {**SETTING, "inputs": 50}, None)
    with pytest.raises(
        InputError, match=r"expected the same cases, seeds, found cases = None, seeds = \[0, 1\]"
    ):
        stored_results(path, {"inputs": 40, "cases": "K4"}, None)


@pytest.mark.parametrize("content", ["", "{", "{}", "[1]", '"text"', '{"setting": 3}', "[" * 100_000])
def test_a_file_that_holds_no_results_is_refused(tmp_path, content):
    path = tmp_path / "study.json"
    path.write_text(content)
    with pytest.raises(
        InputError, match=r"study\.json: expected JSON with a setting, found .*; name another"
    ):
        stored_results(path, SETTING, None)
