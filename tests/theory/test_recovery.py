"""The recovery law: its limits, its prior, and what calibrations make of it."""

import itertools
import math

import numpy as np
import pytest

from deeptheory.theory import (
    Calibration,
    RecoveryLaw,
    factor_after,
    head_capacity,
    learning_time,
    surviving_loss,
)
from deeptheory.theory.recovery import MODEL_SPREAD


def test_nothing_everything_and_small_losses():
    found = surviving_loss(np.array([0.0, 0.8, 1e-6]), 0.8, 0.25, 1.0)
    np.testing.assert_allclose(found, [0.0, 0.8, 0.25e-6], rtol=1e-6)


def test_a_factor_and_an_exponent_of_one_leave_the_loss_of_the_refit():
    losses = np.linspace(0.0, 0.7, 8)
    np.testing.assert_allclose(surviving_loss(losses, 0.7, 1.0, 1.0), losses, atol=1e-15)


def test_what_the_head_has_no_capacity_for_is_lost_and_the_law_holds_for_the_rest():
    whole = surviving_loss(0.2, 0.8, 0.3, 0.7)
    left = (0.8 - 0.2) * 0.6  # the refit of a head that has lost two fifths of its labels
    assert 0.8 - surviving_loss(0.8 - left, 0.8, 0.3, 0.7, 0.6) == pytest.approx(0.6 * (0.8 - whole))
    assert surviving_loss(0.1, 0.8, 0.3, 0.7, 0.5) == pytest.approx(0.4)  # keeps more than the capacity
    assert surviving_loss(0.8, 0.8, 0.3, 0.7, 0.0) == 0.8
    law = RecoveryLaw(0.8, 0.2)
    assert law.predict(0.3, 1.0) == law.predict(0.3)
    assert law.predict(0.5, 0.6).loss > 0.4 * 0.8
    assert law.predict(0.8, 0.0).low == pytest.approx(0.8)


def test_calibrations_of_small_capacity_say_nothing_of_the_constants_that_the_capacity_explains():
    rows = [(r, surviving_loss(r, 0.8, 0.15, 0.6, 0.7), 0.002, 0.7) for r in (0.5, 0.4, 0.3)]
    found = RecoveryLaw(0.8, 0.2, [Calibration(r, float(loss), error, c) for r, loss, error, c in rows])
    assert found.factor == pytest.approx(0.15, rel=0.3)
    assert found.predict(0.2).loss == pytest.approx(float(surviving_loss(0.2, 0.8, 0.15, 0.6)), abs=0.02)


def distinct_labels(mask):
    """Plain count: labels of the same inputs that get a pattern of on and off of their own, in the mean."""
    share = 0.0
    for row in mask:
        same = sum(bool((row == other).all()) for other in mask)
        patterns = sum(any(on) for on in itertools.product([False, True], repeat=int(row.sum())))
        share += min(1.0, patterns / same) / len(mask)
    return share


def test_the_capacity_of_a_head_counts_the_patterns_of_labels_with_the_same_inputs():
    rng = np.random.default_rng(4)
    for density in (0.05, 0.2, 0.6):
        mask = rng.random((40, 9)) < density
        assert head_capacity(mask) == pytest.approx(distinct_labels(mask), abs=1e-12)
    assert head_capacity(np.ones((1000, 10), bool)) == 1  # 1023 patterns
    assert head_capacity(np.ones((1000, 9), bool)) == pytest.approx(0.511)
    assert head_capacity(np.ones((1000, 3000), bool)) == 1
    assert head_capacity(np.zeros((5, 3), bool)) == 0


@pytest.mark.parametrize("mask", [np.ones(3, bool), np.ones((0, 3), bool)])
def test_a_mask_that_is_none_of_a_head_is_refused(mask):
    with pytest.raises(ValueError, match=r"mask must have the shape \(labels, inputs\), found"):
        head_capacity(mask)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ((-0.1, 0.5, 1, 1), "refit_loss"),
        ((0.6, 0.5, 1, 1), "refit_loss"),
        ((0.1, 1.5, 1, 1), "accuracy"),
        ((0.1, 0.0, 1, 1), "accuracy"),
        ((0.1, 0.5, 0, 1), "factor"),
        ((0.1, 0.5, 1, 1, 1.1), "capacity"),
    ],
)
def test_a_number_outside_its_range_is_refused(given, name):
    with pytest.raises(ValueError, match=rf"{name} must be within .*, found"):
        surviving_loss(*given)


def test_longer_retraining_leaves_less_as_the_prior_says():
    short, long = (RecoveryLaw(0.8, time).factor for time in (0.1, 0.3))
    assert factor_after(short, 3) == pytest.approx(long)
    assert factor_after(0.2, 1) == 0.2
    with pytest.raises(ValueError, match="ratio must be within"):
        factor_after(0.2, 0)


def test_the_learning_time_is_that_of_an_exponential_approach():
    epochs, rate, steps = 400, 0.1, 10
    middles = (np.arange(epochs) + 0.5) / epochs
    curve = 0.01 + 0.8 * (1 - np.exp(-middles * 20))  # a time constant of 20 epochs
    found = learning_time(curve.tolist(), [rate] * (epochs * steps), 0.01)
    assert found == pytest.approx(20 * steps * rate, rel=1e-3)


def test_the_learning_time_of_a_network_that_never_learns_is_not_zero():
    assert learning_time([0.1, 0.1], [0.1] * 4, 0.1) > 0


@pytest.mark.parametrize(("accuracy", "rates"), [([], []), ([0.5, 0.6], [0.1] * 3), ([0.5], [])])
def test_epochs_and_steps_have_to_fit_together(accuracy, rates):
    with pytest.raises(ValueError, match="rates must be as many for each of the epochs"):
        learning_time(accuracy, rates, 0.1)


def test_a_larger_refit_loss_is_a_larger_loss_and_longer_retraining_a_smaller_one():
    law, longer = RecoveryLaw(0.8, 0.1), RecoveryLaw(0.8, 1.0)
    losses = [law.predict(refit).loss for refit in (0.0, 0.05, 0.2, 0.6)]
    assert losses == sorted(losses)
    assert longer.predict(0.2).loss < law.predict(0.2).loss


def planted(rng, law_factor, exponent, refit, accuracy=0.8):
    """Losses that follow the law, with its scatter."""
    strength = math.log(law_factor) + exponent * np.log(-np.log1p(-refit / accuracy))
    return accuracy * -np.expm1(-np.exp(strength + MODEL_SPREAD * rng.standard_normal(len(refit))))


def test_calibrations_find_planted_constants():
    rng = np.random.default_rng(0)
    refit = rng.uniform(0.01, 0.6, 60)
    known = [
        Calibration(r, loss, 0.002) for r, loss in zip(refit, planted(rng, 0.15, 0.6, refit), strict=True)
    ]
    law = RecoveryLaw(0.8, 0.2, known)
    assert law.factor == pytest.approx(0.15, rel=0.2)
    assert law.exponent == pytest.approx(0.6, abs=0.1)
    assert law.n_calibrations == 60
    expected = surviving_loss(0.2, 0.8, 0.15, 0.6)
    assert law.predict(0.2).loss == pytest.approx(expected, rel=0.2)


def test_intervals_hold_planted_losses_as_often_as_they_say():
    rng, held = np.random.default_rng(1), []
    for _ in range(300):
        factor, exponent = 0.4 * math.exp(0.98 * rng.standard_normal()), 0.88 + 0.28 * rng.standard_normal()
        refit = np.array([0.5, 0.05, rng.uniform(0.05, 0.5)])
        losses = planted(rng, factor, exponent, refit)
        # At the time at which the prior of the factor has its middle at 0.4.
        known = [Calibration(r, loss, 1e-3) for r, loss in zip(refit[:2], losses[:2], strict=True)]
        found = RecoveryLaw(0.8, math.exp((-1.94 - math.log(0.4)) / 0.72), known).predict(refit[2])
        held.append(found.low <= losses[2] <= found.high)
    assert 0.91 <= np.mean(held) <= 0.985  # 0.95 within four standard errors


def test_intervals_hold_losses_of_refits_that_few_inputs_were_counted_for():
    rng, n, held, held_without = np.random.default_rng(2), 48, [], []
    known = [Calibration(0.5, 0.3, 0.002), Calibration(0.2, 0.12, 0.002), Calibration(0.05, 0.03, 0.002)]
    law = RecoveryLaw(0.8, 0.2, known)
    for _ in range(100):
        refit = rng.uniform(0.0, 0.4, 1)
        loss = planted(rng, law.factor, law.exponent, refit)
        lost = rng.binomial(n, refit[0])
        error = math.sqrt(lost + 1 - lost**2 / n) / n
        for of_all, found in (
            (held, law.predict(lost / n, 1.0, error)),
            (held_without, law.predict(lost / n)),
        ):
            of_all.append(found.low <= loss[0] <= found.high)
    assert np.mean(held) >= 0.9
    assert np.mean(held_without) < 0.9
    with pytest.raises(ValueError, match="error must be within"):
        law.predict(0.1, 1.0, -0.1)


def test_calibrations_make_intervals_narrower():
    wide = RecoveryLaw(0.8, 0.2).predict(0.2)
    law = RecoveryLaw(0.8, 0.2, [Calibration(0.3, 0.05, 0.002), Calibration(0.1, 0.02, 0.002)])
    narrow = law.predict(0.2)
    assert narrow.high - narrow.low < (wide.high - wide.low) / 2


@pytest.mark.parametrize(("accuracy", "time", "name"), [(0.0, 1.0, "accuracy"), (0.5, 0.0, "time")])
def test_a_law_without_accuracy_or_time_is_refused(accuracy, time, name):
    with pytest.raises(ValueError, match=f"{name} must be within"):
        RecoveryLaw(accuracy, time)
