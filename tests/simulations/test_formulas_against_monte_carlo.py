"""Every exact formula within 3 standard errors of Monte Carlo, the standard error at most 1 % of the value."""

from collections import Counter

import numpy as np
import pytest

from tests.scripts import SIMULATIONS, load_script

script = load_script(SIMULATIONS / "formulas_against_monte_carlo.py")
CASES = script.all_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.formula} {case.point}")
def test_formula_within_3_standard_errors(case):
    difference, error = case.compare(seed=0)
    assert error <= 0.01
    assert abs(difference) <= 3


def test_every_formula_has_three_points():
    points = Counter(case.formula for case in CASES)
    assert min(points.values()) >= 3
    assert len(CASES) == len({(case.formula, case.point) for case in CASES})


def test_a_wrong_formula_is_found():
    wrong = script.Case("mean", "", 1.02, lambda rng: 1 + 0.5 * rng.standard_normal(10_000))
    difference, error = wrong.compare(0)
    assert difference < -3
    assert error == pytest.approx(0.005 / 1.02, rel=0.05)


def test_the_report_has_a_line_for_every_formula_and_the_largest_numbers():
    cases = [
        script.Case("a", str(n), 1.0, lambda rng, n=n: rng.standard_normal(100) / n + 1) for n in (1, 2, 3)
    ]
    lines = script.report([*cases, script.Case("b", "", 2.0, lambda rng: 2 + rng.random(5))], 0).splitlines()
    assert [line.split()[:2] for line in lines[2:4]] == [["a", "3"], ["b", "1"]]
    compared = np.array([case.compare(0) for case in cases])
    assert float(lines[2].split()[2]) == pytest.approx(np.abs(compared[:, 0]).max(), abs=0.01)
    assert lines[4].startswith("4 points")


def test_storage_is_decided_by_the_edges_of_the_cone():
    quarter = np.array([[1.0, 0.1], [0.1, 1.0], [1.0, 1.0]])
    around = np.array([[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]])
    np.testing.assert_array_equal(script.can_be_stored(np.stack([quarter, around])), [True, False])
    octant = np.vstack([np.eye(3) + 0.1, [[1.0, 1.0, 1.0]]])
    np.testing.assert_array_equal(
        script.can_be_stored(np.stack([octant, np.vstack([np.eye(3), -np.ones((1, 3))])])), [True, False]
    )
