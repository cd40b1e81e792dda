"""Criteria of whole filters by hand."""

import numpy as np
import pytest

from deeptheory import prune
from deeptheory.errors import InputError

CONV = prune.MaskedLayer("stage2.conv.weight", "stage1", "stage2", (3, 2, 1, 2), 2)
NODES = prune.MaskedLayer("stage3.linear.weight", "stage2", "stage3", (2, 6), 3)
HEAD = prune.MaskedLayer("head.linear.weight", "stage3", "head", (2, 2), 2)
WEIGHTS = {
    CONV.weight: np.array([[3, 0, 0, -4], [3, 0, 0, 0], [0, 0, 0, -4]], np.float32).reshape(CONV.shape),
    NODES.weight: np.array([[1, 2, 3, 4, 5, 6], [-1, 2, -3, 4, -5, 6]], np.float32),
    HEAD.weight: np.ones(HEAD.shape, np.float32),
}


def context(granularity="filter", **fields):
    layers, rng = (CONV, NODES, HEAD), np.random.default_rng(0)
    return prune.Context(layers, WEIGHTS, {}, 0.5, rng, granularity=granularity, **fields)


def test_l1_by_hand():
    found = prune.scores_for("l1", context())
    assert {name: score.tolist() for name, score in found.items()} == {
        CONV.weight: [7, 3, 4],
        NODES.weight: [21, 21],
    }


def test_distances_to_the_other_filters_by_hand():
    found = prune.scores_for("geometric-median", context())
    # filters (3, -4), (3, 0), (0, -4) in the coordinates that differ: distances 4, 3 and 5
    assert found[CONV.weight] == pytest.approx([7, 9, 8])
    assert found[NODES.weight] == pytest.approx([np.sqrt(4 + 36 + 100)] * 2)


def test_the_filter_nearest_to_the_geometric_median_goes_first():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20, 4))
    weights = WEIGHTS | {"stage2.conv.weight": points.reshape(20, 2, 1, 2)}
    layer = prune.MaskedLayer("stage2.conv.weight", "stage1", "stage2", (20, 2, 1, 2), 2)
    here = prune.Context((layer,), weights, {}, 0.5, rng, granularity="filter")
    median = points.mean(axis=0)
    for _ in range(500):  # Weiszfeld's iteration
        closeness = 1 / np.linalg.norm(points - median, axis=1)
        median = closeness @ points / closeness.sum()
    sums = [np.linalg.norm(points - place, axis=1).sum() for place in points]
    found = prune.scores_for("geometric-median", here)[layer.weight]
    np.testing.assert_allclose(found, sums, rtol=1e-12)
    assert found.argmin() in np.argsort(np.linalg.norm(points - median, axis=1))[:3]


def test_snr_share_is_what_the_squared_snr_loses():
    rng = np.random.default_rng(1)
    # parts of the margin of three independent filters
    means, deviations = np.array([3.0, 1.0, 0.2]), np.array([1.0, 0.5, 2.0])
    signal, variance = means / means.sum(), deviations**2 / (deviations**2).sum()
    nodes = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    shares = {"stage1": (rng.random(2), rng.random(2)), "stage2": (signal, variance), "stage3": nodes}
    found = prune.scores_for("snr-share", context(shares=lambda: shares))
    assert [score.sum() for score in found.values()] == pytest.approx([1, 1])
    assert found[NODES.weight] == pytest.approx([0.1, 0.9])

    def log_square(factors):
        return 2 * np.log(means @ factors) - np.log(deviations**2 @ factors)

    step = 1e-6
    for number in range(3):
        fewer = np.ones(3)
        fewer[number] -= step
        expected = (log_square(np.ones(3)) - log_square(fewer)) / step
        assert found[CONV.weight][number] == pytest.approx(expected, rel=1e-5)
    assert found[CONV.weight].argmin() == 2


@pytest.mark.parametrize(
    ("shares", "text"),
    [
        (
            None,
            "criterion 'snr-share': expected the shares of the filters, found none; measure the run first",
        ),
        (lambda: {"stage3": ()}, "shares of 'stage2': expected those of every masked stage, found stage3"),
        (
            lambda: {"stage2": (np.ones(3), np.ones(4))},
            r"shares of 'stage2': expected two of shape \(3,\), found shapes \(3,\) and \(4,\)",
        ),
    ],
)
def test_shares_that_are_missing_are_named(shares, text):
    with pytest.raises(InputError, match=text):
        prune.scores_for("snr-share", context(shares=shares))


@pytest.mark.parametrize("criterion", ["l1", "geometric-median", "snr-share"])
def test_they_act_on_filters_only(criterion):
    with pytest.raises(
        InputError, match=f"criterion '{criterion}': expected granularity filter, found kernel"
    ):
        prune.scores_for(criterion, context("kernel"))
