"""The study of a transformer: heads are measured, pruned and predicted, and a seed is not computed again."""

import sys

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")


def test_one_small_seed(script, monkeypatch, capsys, tmp_path):
    small = {
        "TRAIN": 12,
        "TEST": 4,
        "MEASURE": 4,
        "DEPTH": 1,
        "EPOCHS": 1,
        "RETRAINING": 1,
        "DENSITIES": (0.5,),
    }
    for name, value in {**small, "CRITERIA": ("afcc", "random"), "N_LABELS": 4}.items():
        monkeypatch.setattr(script, name, value)
    monkeypatch.setattr(sys, "argv", ["x", "--seeds", "0", "--out", str(tmp_path / "vit.json")])
    script.main()
    lines = capsys.readouterr().out.splitlines()
    heads = next(line.split() for line in lines if line.startswith("blocks.0.proj:input"))
    assert heads[1] == "4"
    arms = [line.split() for line in lines if line.startswith("0.5")]
    assert [arm[1] for arm in arms] == ["afcc", "random"]
    monkeypatch.setattr(script, "one_seed", None)
    script.main()
    assert capsys.readouterr().out.splitlines() == [line for line in lines if not line.startswith("seed 0:")]
