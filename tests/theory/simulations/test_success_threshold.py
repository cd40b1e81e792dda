"""The half point of a transition, on planted data."""

import numpy as np
import pytest
from scipy.special import expit

from deeptheory.theory.simulations.success_threshold import half_point

LOADS = np.arange(0.5, 1.6, 0.1)


def test_a_planted_transition_is_found_and_its_error_is_the_scatter():
    rng = np.random.default_rng(1)
    share = expit((1.07 - LOADS) / 0.08)
    found = [half_point(LOADS, rng.binomial(30, share), np.full(len(LOADS), 30)) for _ in range(150)]
    at, error = np.array([point.load for point in found]), np.array([point.error for point in found])
    assert abs(at.mean() - 1.07) < 3 * at.std(ddof=1) / np.sqrt(len(at))
    assert error.mean() == pytest.approx(at.std(ddof=1), rel=0.2)
    assert np.mean([point.width for point in found]) == pytest.approx(0.08, rel=0.1)


def test_loads_that_do_not_resolve_the_transition_are_refused():
    for successes in ([10] * 11, [0] * 11, [10] * 5 + [0] * 6, [10] * 5 + [4] + [0] * 5):
        with pytest.raises(ValueError, match="loads must lie on both sides of the half point"):
            half_point(LOADS, successes, [10] * 11)
