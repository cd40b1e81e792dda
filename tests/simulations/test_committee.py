"""The study of soft committee machines: predictions come first, and what is there is not computed again."""

import json
import sys

import numpy as np
import pytest

from deeptheory.errors import InputError


@pytest.fixture
def script(script):
    """The study with one short case."""
    start = ((0.2, 0.0), (0.0, 0.2), (0.05, 0.0))
    removals = (script.Removal(5.0, 1, 3.0), script.Removal(12.5, 1, 0.0))
    script.CASES = {"K3": script.Case(0.5, start, 12.5, removals)}
    return script


def run(script, monkeypatch, path, *arguments):
    monkeypatch.setattr(sys, "argv", ["committee.py", "--inputs", "40", "--out", str(path), *arguments])
    script.main()
    return json.loads(path.read_text())


def test_seeds_are_added_and_not_computed_again(script, monkeypatch, tmp_path, capsys):
    path = tmp_path / "committee.json"
    first = run(script, monkeypatch, path, "--seeds", "0")
    monkeypatch.setattr(script, "predict", None)
    both = run(script, monkeypatch, path, "--seeds", "0", "1")
    assert both["simulated"]["K3"]["0"] == first["simulated"]["K3"]["0"]
    assert both["simulated"]["K3"]["1"]["error"] != first["simulated"]["K3"]["0"]["error"]
    assert "error after removal" in capsys.readouterr().out
    with pytest.raises(InputError, match="expected the same inputs, found inputs = 40; name another file"):
        run(script, monkeypatch, path, "--inputs", "50")


def test_cases_left_out_are_predicted_only(script, monkeypatch, tmp_path):
    script.CASES["K2"] = script.Case(0.5, ((0.2, 0.0), (0.0, 0.1)), 12.5)
    found = run(script, monkeypatch, tmp_path / "committee.json", "--seeds", "0", "--cases", "K2")
    assert list(found["simulated"]["K2"]) == ["0"]
    assert found["simulated"]["K3"] == {}
    assert found["predicted"].keys() == {"K2", "K3"}


def test_prediction_and_simulation_are_of_the_same_times_and_sets(script, monkeypatch, tmp_path):
    found = run(script, monkeypatch, tmp_path / "committee.json", "--seeds", "0")
    predicted, simulated = found["predicted"]["K3"], found["simulated"]["K3"]["0"]
    assert np.shape(simulated["R"]) == np.shape(predicted["R"])
    assert simulated["error"][0] == pytest.approx(predicted["error"][0])
    early, late = simulated["removals"]
    assert len(early["at_once"]) == len(predicted["removals"][0]["ranked"]) == 3
    assert early["further"]["best"][0] == pytest.approx(early["at_once"][0])
    assert early["further"]["worst"][0] == pytest.approx(early["at_once"][2])
    assert late["further"] == {}
