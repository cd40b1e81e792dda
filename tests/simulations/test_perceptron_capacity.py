"""The study of the diluted perceptron: checked against Cover, resumed, read from its file."""

import json
import sys

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.theory import annealed_capacity, quenched_capacity

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def script(script, monkeypatch):
    monkeypatch.setattr(script, "LOADS", np.arange(0.4, 2.8, 0.2))
    monkeypatch.setattr(script, "KEPT", (0.5,))
    return script


def test_the_study_lies_between_the_lines_and_is_not_computed_again(script, monkeypatch, tmp_path, capsys):
    out = tmp_path / "results" / "perceptron.json"
    monkeypatch.setattr(sys, "argv", f"x --couplings 20 --instances 12 --out {out}".split())
    script.main()
    assert "f = 1 against Cover: chi square" in capsys.readouterr().out
    results = json.loads(out.read_text())
    point = results["capacities"]["20"]["points"]["0.5"]
    assert quenched_capacity(0.5) + 3 * point["error"] < point["load"] < annealed_capacity(0.5)
    undiluted, cover = (results["capacities"]["20"][name] for name in ("points", "cover"))
    assert abs(undiluted["1"]["load"] - 2) < 3 * undiluted["1"]["error"]
    assert cover["chi_square"] < cover["loads"] + 3 * np.sqrt(2 * cover["loads"])
    monkeypatch.setattr(script, "couplings_needed", None)
    script.main()
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--seed", "1"])
    with pytest.raises(
        InputError, match="expected the same seed, found seed = 0; name another file with --out"
    ):
        script.main()


def test_an_instance_depends_on_the_seed_and_its_size_only(script):
    one = script.couplings_needed(12, 12, 5, 0)
    assert one == script.couplings_needed(12, 12, 5, 0)
    assert one != script.couplings_needed(12, 12, 5, 1)


def test_the_extrapolation_is_the_end_of_a_line_in_1_over_n(script):
    sizes = {
        str(n): {kept: {"load": 1.5 - 3 / n, "error": 0.1} for kept in ("0.5", "1")} for n in (50, 100, 200)
    }
    found = script.extrapolate({size: {"points": points} for size, points in sizes.items()})
    assert found["0.5"]["load"] == pytest.approx(1.5)
    design = np.stack([np.ones(3), [0.02, 0.01, 0.005]], axis=1) / 0.1
    assert found["1"]["error"] == pytest.approx(np.sqrt(np.linalg.inv(design.T @ design)[0, 0]))
