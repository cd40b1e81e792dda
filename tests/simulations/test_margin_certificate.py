"""The study of guarantees: none is above the measured accuracy, the weaker is not above the stronger, resumed."""

import json
import sys

import numpy as np
import pytest

from deeptheory.errors import InputError

pytestmark = pytest.mark.usefixtures("one_thread")


def call(script, run, monkeypatch, capsys, *more):
    monkeypatch.setattr(sys, "argv", ["x", str(run.directory), "--stages", "2", *more])
    script.main()
    return capsys.readouterr().out


def test_no_guarantee_is_above_what_is_measured(script, run, monkeypatch, capsys):
    first = call(script, run, monkeypatch, capsys, "--densities", "0.95", "0.5")
    results = json.loads((run.directory / "margin_certificate.json").read_text())
    assert results["accuracy"] == run.read_number("train/accuracy/test")
    assert list(results["targets"]) == ["head", "stage5", "stage4", "all"]
    n_test = 50
    for of_target in results["targets"].values():
        assert list(of_target) == ["afcc", "random", "magnitude"]
        for of in (of for of_criterion in of_target.values() for of in of_criterion.values()):
            assert of["twice the change"] <= of["intervals"] <= of["measured"]
            assert of["own change"] <= of["measured"]
            # Where no change is beyond the largest, its guarantee holds as well, else up to these inputs.
            assert of["largest change"] <= of["measured"] + of["beyond"]
            assert of["median change"] <= of["median bound"] * (1 + 1e-5)
            assert of["measured"] * n_test == pytest.approx(round(of["measured"] * n_test))
    monkeypatch.setattr(script.Study, "guarantees", None)
    assert call(script, run, monkeypatch, capsys, "--densities", "0.95", "0.5") == first


def test_masks_have_the_density_in_every_layer(script, run):
    study = script.Study(run, 50, 0)
    for layers in study.targets(1).values():
        masks = study.masks(layers, "random", 0.5, [0])
        for layer in layers:
            assert masks.kept()[layer.weight] == round(0.5 * layer.n_kernels) * layer.kernel_size
    assert len(study.targets(1)["all"]) == 3


def test_other_settings_and_densities_are_refused(script, run, monkeypatch, capsys):
    with pytest.raises(InputError, match=r"--densities: expected numbers within \[0, 1\), found \[1\.0\]"):
        call(script, run, monkeypatch, capsys, "--densities", "1")
    call(script, run, monkeypatch, capsys, "--densities", "0.5")
    with pytest.raises(InputError, match=r"expected the same .*; name another file with --out"):
        call(script, run, monkeypatch, capsys, "--densities", "0.5", "--seed", "1")
    assert np.isfinite(json.loads((run.directory / "margin_certificate.json").read_text())["median_margin"])
