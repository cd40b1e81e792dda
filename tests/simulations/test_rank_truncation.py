"""The study of truncated layers: nothing is changed at full rank, everything at none, and it is resumed."""

import json
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def script(script, monkeypatch):
    monkeypatch.setattr(script, "STEPS", 2)
    monkeypatch.setattr(script, "CONTROLS", 1)
    return script


def test_every_layer_is_truncated_alone_and_not_computed_again(script, run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["x", str(run.directory)])
    script.main()
    first = capsys.readouterr().out
    assert "above 0 truncated at once: test accuracy 0." in first
    results = json.loads((run.directory / "rank_truncation.json").read_text())
    assert results["accuracy"] == run.read_number("train/accuracy/test")
    assert list(results["layers"]) == [*(f"stage{n}.conv.weight" for n in range(1, 6)), "head.linear.weight"]
    for of in results["layers"].values():
        assert of["ranks"][0] == 0
        assert of["ranks"][-1] == min(of["shape"]) == len(of["singular_values"])
        assert of["accuracy"][0] == pytest.approx(1 / 5)  # one label for all inputs
        assert of["accuracy"][-1] == pytest.approx(
            results["accuracy"], abs=0.021
        )  # rounding may turn one input
        assert of["bulk"]["signal_rank"] in of["ranks"]
    monkeypatch.setattr(script.Study, "layer", None)
    script.main()
    assert first.endswith(capsys.readouterr().out)


def test_the_needed_rank_is_the_last_place_where_too_much_is_lost(script):
    of = {"ranks": [0, 2, 4, 6, 8], "accuracy": [0.2, 0.798, 0.7, 0.796, 0.8]}
    assert script.needed(of, 0.8) == 6
    assert script.needed({**of, "accuracy": [0.8] * 5}, 0.8) == 0


def test_a_truncated_weight_keeps_its_shape_and_the_network_its_weights(script, run):
    study = script.Study(run)
    name = "stage3.conv.weight"
    before = study.weights[name].copy()
    weight = study.truncated(name, np.arange(3))
    assert weight.shape == before.shape
    assert np.linalg.matrix_rank(weight.reshape(len(weight), -1).astype(float), tol=1e-5) == 3
    study.accuracy({name: weight})
    assert study.accuracy({}) == run.read_number("train/accuracy/test")
    np.testing.assert_array_equal(study.network.parameters()[name], before)
