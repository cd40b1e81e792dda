"""The error of a finite test set, and accuracies that it makes doubtful, against simulation."""

import numpy as np
import pytest

from deeptheory.judge import (
    accuracy_variance,
    at_chance,
    clearly_below,
    difference_variance,
    far_above,
    paired_variance,
)
from deeptheory.judge.evidence import Arms, Predictions, Stages
from deeptheory.judge.hypotheses import hypothesis

N = 500


def networks(rng, n_studies, agreement):
    """Correctness of two networks of accuracy 0.8 that share this part of their mistakes."""
    shared = rng.random((n_studies, N)) < agreement
    one, other = rng.random((2, n_studies, N)) < 0.8
    return one, np.where(shared, one, other)


@pytest.mark.parametrize("agreement", [0.0, 0.9])
def test_paired_variance_is_that_of_fresh_test_sets(agreement):
    one, other = networks(np.random.default_rng(0), 4000, agreement)
    seen = (one.mean(axis=1) - other.mean(axis=1)).var()
    stated = np.mean([paired_variance(*pair) for pair in zip(one, other, strict=True)])
    assert stated == pytest.approx(seen, rel=0.08)  # 4000 studies: a standard error of 2 %
    independent = difference_variance(np.array([0.8]), np.array([0.8]), N)[0]
    assert (stated < 0.3 * independent) == (agreement > 0)


def test_networks_at_chance_are_named():
    assert at_chance([0.125, 0.14, 0.5], 400, 1 / 8) == [0, 1]
    rng = np.random.default_rng(0)
    named = [bool(at_chance(rng.binomial(400, 1 / 8, 5) / 400, 400, 1 / 8)) for _ in range(300)]
    assert np.mean(named) == 1.0
    alone = [not at_chance([rng.binomial(400, 1 / 8) / 400], 400, 1 / 8) for _ in range(2000)]
    assert np.mean(alone) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_a_damaged_reference_is_named_and_a_whole_one_is_not():
    losses, variances = np.array([0.71, 0.001, 0.009]), np.full(3, 0.003**2)
    assert clearly_below(losses, variances, 0.005) == [0]
    rng = np.random.default_rng(0)
    named = [
        bool(clearly_below(rng.normal(0.005, 0.003, 5), np.full(5, 0.003**2), 0.005)) for _ in range(2000)
    ]
    assert np.mean(named) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 2000))


def test_the_sampling_error_reaches_the_verdict():
    correct = [np.arange(N) < 400 for _ in range(5)]
    better = [np.arange(N) < 405 for _ in range(5)]
    accuracies = {"afcc": np.full(5, 0.81), "random": np.full(5, 0.80)}
    arms = Arms({"all": accuracies}, N, {"all": {"afcc": better, "random": correct}})
    of_test = hypothesis("H7").sampling(arms)["all"]
    assert of_test == pytest.approx([100**2 * (5 - 5**2 / N) / N**2] * 5)
    unpaired = hypothesis("H7").sampling(Arms({"all": accuracies}, N))["all"]
    assert (unpaired > of_test).all()
    assert hypothesis("H7").sampling(Arms({"all": accuracies})) == {}


def test_the_sampling_error_of_a_slope_is_that_of_fresh_test_sets():
    rng, depth = np.random.default_rng(0), np.arange(6.0)
    accuracy = 0.5 + 0.05 * depth
    drawn = rng.binomial(N, accuracy, (4000, 6)) / N
    seen = hypothesis("H1").parts(Stages(tuple("abcdef"), {"probe_accuracy": drawn}))["probe accuracy"].var()
    stages = Stages(tuple("abcdef"), {"probe_accuracy": accuracy[None]}, N)
    assert hypothesis("H1").sampling(stages)["probe accuracy"][0] == pytest.approx(seen, rel=0.08)


def test_the_sampling_error_of_predictions_is_not_understated():
    rng, truth = np.random.default_rng(0), np.array([0.6, 0.8])
    measured = rng.binomial(N, truth, (4000, 2)) / N
    errors = Predictions({"arms": (np.tile(truth + 0.1, (4000, 1)), measured)}).errors("arms")
    stated = Predictions(
        {"arms": (truth[None] + 0.1, truth[None])}, {"arms": accuracy_variance(truth[None], N)}
    ).error_variance("arms")
    assert stated[0] >= errors.var()


def test_accuracies_on_inputs_that_were_trained_on_are_named_and_sampling_errors_are_not():
    rng = np.random.default_rng(0)
    measured, tested = rng.binomial(200, 0.9, 4000) / 200, rng.binomial(1000, 0.9, 4000) / 1000
    named = [far_above(one, 200, other, 1000) for one, other in zip(measured, tested, strict=True)]
    assert np.mean(named) < 0.01  # 0.006 for 2.5 standard errors of a normal difference
    assert far_above(0.96, 500, 0.425, 1000)
    assert not far_above(0.935, 100_000, 0.92, 100_000)  # less than two points
    assert not far_above(0.425, 500, 0.96, 1000)
