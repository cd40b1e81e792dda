"""Intervals over filters: how often they cover the mean of a known population."""

import numpy as np
import pytest
from scipy.stats import binomtest

from deeptheory.measure.filter_intervals import mean_estimate, ratio_estimate, share_estimate

N_STAGES, N_SAMPLES = 400, 400


def covered(draw, estimate, truth, n_filters):
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(N_STAGES):
        found = estimate(*draw(rng, n_filters), rng.integers(n_filters, size=(N_SAMPLES, n_filters)))
        assert found.low <= found.value <= found.high
        hits += found.low <= truth <= found.high
    return hits / N_STAGES


def clusters(rng, n_filters):
    return (rng.poisson(1.5, n_filters),)


def noise(rng, n_filters):  # skewed as noise is: its mean is twice its median
    return (rng.negative_binomial(1, 1 / 13, n_filters),)


def sizes_and_counts(rng, n_filters):
    counts = rng.poisson(1.2, n_filters)
    return np.array([rng.geometric(0.4, number).sum() for number in counts]), counts


@pytest.mark.parametrize(
    ("draw", "estimate", "truth", "least"),
    [
        (clusters, mean_estimate, 1.5, 0.95),
        (noise, mean_estimate, 12.0, 0.93),
        (sizes_and_counts, ratio_estimate, 2.5, 0.94),
    ],
)
def test_intervals_of_sixteen_filters_cover_the_mean_of_their_population(draw, estimate, truth, least):
    assert covered(draw, estimate, truth, 16) > least - 3 * np.sqrt(least * (1 - least) / N_STAGES)


def test_filters_that_are_all_alike_have_no_interval():
    found = mean_estimate(np.full(16, 3), np.zeros((100, 16), np.int64))
    assert (found.value, found.low, found.high) == (3, 3, 3)


def test_no_filter_among_sixteen_is_no_certainty():
    found = share_estimate(np.zeros(16, np.bool_))
    assert found.low == 0
    assert found.high == pytest.approx(1.959964**2 / (16 + 1.959964**2), rel=1e-6)  # Wilson at a share of 0


@pytest.mark.parametrize("k", [0, 3, 16])
def test_the_interval_of_a_share_is_that_of_scipy(k):
    found, expected = share_estimate(np.arange(16) < k), binomtest(k, 16).proportion_ci(0.95, "wilson")
    assert (found.value, found.low, found.high) == (k / 16, expected.low, expected.high)
