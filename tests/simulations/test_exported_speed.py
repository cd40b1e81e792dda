"""Predictions of an exported compact network and its times are compared as the file says."""

import json
import sys

import numpy as np
import pytest

from deeptheory import nn, prune
from deeptheory.bench import interleaving, machine_load
from deeptheory.errors import InputError
from deeptheory.runs.steps.compaction import retrained_network

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def brief(monkeypatch):
    """Hardly any time is measured."""
    monkeypatch.setattr(interleaving, "BLOCK_SECONDS", 0.0)
    monkeypatch.setattr(machine_load, "LOOK_SECONDS", 0.01)


def start(script, monkeypatch, run, out, *options):
    arguments = ["x", run.directory, "--rounds", 2, "--threads", 1, "--quiet", "--out", out, *options]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    script.main()


@pytest.mark.usefixtures("brief")
def test_predictions_and_times_are_written(script, monkeypatch, run, tmp_path, capsys):
    out = tmp_path / "results" / "speed.json"
    start(script, monkeypatch, run, out, "--images", 130)
    found = json.loads(out.read_text())
    assert found["predictions"]["images"] == found["predictions"]["equal"] == 130
    assert 0 <= found["predictions"]["relative_difference"] <= 1e-5
    for of in found["batches"].values():
        assert set(of["seconds"]) == {
            f"{n}, {f}" for n in ("dense", "masked", "compact") for f in script.FORMATS
        }
        for name in ("masked", "compact"):
            best = {n: min(of["seconds"][f"{n}, {f}"] for f in script.FORMATS) for n in ("dense", name)}
            assert of["speedup"][name]["ratio"] == pytest.approx(best["dense"] / best[name])
    counts = found["nonzero_parameters"]
    assert counts["compact"] <= counts["masked"] < counts["dense"]
    printed = capsys.readouterr().out
    assert printed.startswith("130 of 130 predictions are equal, largest difference of logits ")
    assert "dense/compact" in printed


def test_a_network_that_predicts_otherwise_is_seen(script, run):
    images = script.images_of(run, 10**6)
    assert len(images) == len(run.dataset.train_images) + len(run.dataset.test_images)
    network = retrained_network(run, prune.UNPRUNED)
    other = nn.assemble([*network.stages, network.head], network.input_shape, network.dtype)
    name = "head.linear.weight"
    module = script.exported(other)
    network.parameters()[name] = np.roll(network.parameters()[name], 1, axis=0)
    found = script.agreement(network, module, images[:40])
    assert found["equal"] < 20
    assert found["relative_difference"] > 0.1


def test_an_unknown_arm_is_refused(script, monkeypatch, run, tmp_path):
    with pytest.raises(InputError, match=r"--arm: .*did you mean 'afcc'"):
        start(script, monkeypatch, run, tmp_path / "speed.json", "--arm", "afc")
