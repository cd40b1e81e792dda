"""The study of sizes: what it reads from results, and its fits on planted numbers."""

import json
import sys

import numpy as np
import pytest

from deeptheory import theory


@pytest.fixture
def scripts(script):
    """The study of committees that the one of sizes imports, with one short case, and the latter."""
    study = sys.modules.pop("committee")
    start = ((0.2, 0.0), (0.0, 0.2), (0.05, 0.0))
    study.CASES.clear()
    study.CASES["K3"] = study.Case(0.5, start, 12.5, (study.Removal(12.5, 1, 0.0),))
    return study, script


def test_files_of_all_sizes_are_compared(scripts, monkeypatch, tmp_path, capsys):
    study, sizes = scripts
    for n_inputs in (60, 30):
        out = tmp_path / f"{n_inputs}.json"
        monkeypatch.setattr(sys, "argv", f"x --inputs {n_inputs} --seeds 0 1 2 --out {out}".split())
        study.main()
    monkeypatch.setattr(
        sys, "argv", f"x {tmp_path}/60.json {tmp_path}/30.json --out {tmp_path}/all.json".split()
    )
    sizes.main()
    found = json.loads((tmp_path / "all.json").read_text())
    small, large = found["cases"]["K3"]
    assert [small["inputs"], large["inputs"]] == [30, 60]
    assert np.shape(small["deviation"]) == (3, len(small["alpha"]))
    np.testing.assert_allclose(small["scatter"], np.array(large["scatter"]) * 2**0.5)
    assert small["removals"][0]["scatter"] == pytest.approx(large["removals"][0]["scatter"] * 2**0.5)
    assert len(found["fits"]["K3"][0]["mean"]) == 2
    assert "error after the predicted removal" in capsys.readouterr().out


def test_planted_differences_of_order_1_over_n_are_found(scripts):
    rng = np.random.default_rng(0)
    compared = []
    for n_inputs in (500, 1000, 2000, 4000):
        scatter = 0.01 * n_inputs**-0.5
        simulated = 0.003 * (1 + 80 / n_inputs) + scatter * rng.standard_normal(400)
        compared.append(
            {
                "inputs": n_inputs,
                "removals": [{"predicted": 0.003, "simulated": simulated.tolist(), "scatter": scatter}],
            }
        )
    fit = scripts[1].extrapolate(compared, 0)
    assert abs(fit["slope"] - 80) < 3 * fit["slope_error"] < 30
    assert abs(fit["limit"]) < 3 * fit["limit_error"] < 0.03
    assert fit["chi_square"] < 12
    assert fit["spread"] == pytest.approx(1, abs=0.06)
    for of in compared:
        of["removals"][0]["scatter"] /= 2
    wider = scripts[1].extrapolate(compared, 0)
    assert wider["spread"] == pytest.approx(2 * fit["spread"])
    assert wider["slope_error"] == pytest.approx(fit["slope_error"])


def test_shares_are_of_single_networks_and_of_their_mean(scripts):
    of = {"deviation": [[0.0, 0.1], [0.0, -0.1]], "scatter": [0.01, 0.04]}
    shares = scripts[1].within(of, np.array([True, True]))
    assert shares == ["50", f"{(0.5 * 2.5**2) ** 0.5:.2f}", "0.0", "100", "100"]


def test_the_band_is_that_of_the_theory(scripts):
    case = scripts[0].CASES["K3"]
    scatter = theory.learning_scatter(case.start, 0.5, case.alpha, np.random.default_rng(0), 2000)
    results = {
        "setting": {"inputs": 100},
        "predicted": {
            "K3": {"error": (0.1 * np.exp(-case.alpha)).tolist(), "removals": [{"ranked": [[[2], 0.5]]}]}
        },
        "simulated": {
            "K3": {"0": {"error": np.full(len(case.alpha), 0.1), "removals": [{"at_once": [0.4]}]}}
        },
    }
    found = scripts[1].compare("K3", results, scatter)
    np.testing.assert_allclose(
        np.array(found["scatter"]) * found["plateau"] * 10, scatter.generalisation_error
    )
    assert found["removals"][0]["scatter"] == pytest.approx(scatter.without([2])[-1] / 10)
    assert found["removals"][0]["simulated"] == [0.4]
