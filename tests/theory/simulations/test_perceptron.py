"""Couplings of largest stability, and pruning and relearning them."""

import numpy as np
import pytest
from scipy.optimize import linprog

from deeptheory.theory import quenched_capacity, separable_share
from deeptheory.theory.simulations.perceptron import prune_and_relearn, store


def can_store(patterns):
    """By linear programming, an independent method."""
    n_patterns, n_couplings = patterns.shape
    found = linprog(
        np.zeros(n_couplings), A_ub=-patterns, b_ub=-np.ones(n_patterns), bounds=(None, None), method="highs"
    )
    return found.status == 0


def test_storing_agrees_with_linear_programming():
    rng = np.random.default_rng(1)
    n_stored = 0
    for _ in range(60):
        patterns = rng.standard_normal((rng.integers(15, 30), 10))
        stored = store(patterns)
        assert (stored is not None) == can_store(patterns)
        n_stored += stored is not None
    assert 15 < n_stored < 45


def test_stored_couplings_have_the_largest_stability():
    rng = np.random.default_rng(2)
    patterns = rng.standard_normal((40, 30))
    stored = store(patterns)
    stabilities = patterns @ stored.couplings
    # The conditions of Karush, Kuhn and Tucker, sufficient for the least norm.
    active = stored.multipliers > 0
    np.testing.assert_allclose(stabilities[active], 1.0, atol=1e-6)
    assert np.all(stabilities > 1 - 1e-6)
    combined = patterns.T @ stored.multipliers
    np.testing.assert_allclose(
        combined / np.linalg.norm(combined), stored.couplings / np.linalg.norm(stored.couplings)
    )


def test_a_start_changes_the_way_and_not_the_end():
    rng = np.random.default_rng(3)
    patterns = rng.standard_normal((60, 50))
    before = store(patterns)
    fewer = patterns[:, 3:]
    np.testing.assert_allclose(store(fewer, before.multipliers).couplings, store(fewer).couplings, rtol=1e-6)


def test_a_start_with_more_multipliers_than_couplings_is_no_harm():
    rng = np.random.default_rng(8)
    for _ in range(20):
        patterns = rng.standard_normal((20, 12))
        stored = store(patterns, np.ones(20))
        assert (stored is not None) == can_store(patterns)
        if stored is not None:
            np.testing.assert_allclose(stored.couplings, store(patterns).couplings, rtol=1e-6)


def test_the_share_that_can_be_stored_is_covers_within_3_standard_errors():
    rng = np.random.default_rng(4)
    n_couplings, n_trials = 20, 150
    for n_patterns in (34, 40, 46):
        stored = sum(
            store(rng.standard_normal((n_patterns, n_couplings))) is not None for _ in range(n_trials)
        )
        expected = float(separable_share(n_patterns, n_couplings))
        assert abs(stored / n_trials - expected) < 3 * np.sqrt(expected * (1 - expected) / n_trials)


def test_pruning_and_relearning_beats_couplings_chosen_beforehand():
    rng = np.random.default_rng(5)
    n_couplings, load = 60, 1.0
    left = (
        np.array([prune_and_relearn(rng.standard_normal((60, n_couplings))) for _ in range(15)]) / n_couplings
    )
    quenched = load / float(quenched_capacity(1.0))  # density that stores this load, chosen beforehand
    assert left.mean() + 3 * left.std(ddof=1) / np.sqrt(len(left)) < 0.7 * quenched


def test_the_couplings_left_store_the_patterns_and_fewer_do_not():
    rng = np.random.default_rng(6)
    patterns = rng.standard_normal((20, 20))
    left, kept = prune_and_relearn(patterns), np.arange(20)
    while len(kept) > left:
        smallest = np.argmin(np.abs(store(patterns[:, kept]).couplings))
        kept = np.delete(kept, smallest)
    assert can_store(patterns[:, kept])
    smallest = np.argmin(np.abs(store(patterns[:, kept]).couplings))
    assert not can_store(patterns[:, np.delete(kept, smallest)])


def test_one_pattern_needs_one_coupling_and_too_many_more_than_there_are():
    rng = np.random.default_rng(7)
    assert prune_and_relearn(rng.standard_normal((1, 8))) == 1
    assert prune_and_relearn(rng.standard_normal((60, 8))) == 9
    assert prune_and_relearn(rng.standard_normal((1, 8)), share=0.5) == 1


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_outside_its_range_is_refused(share):
    with pytest.raises(ValueError, match=rf"share must be within \[0, 1\), found {share}"):
        prune_and_relearn(np.ones((1, 2)), share)


@pytest.mark.parametrize("patterns", [np.ones(3), np.ones((0, 3)), np.array([[1.0, np.nan]])])
def test_patterns_that_are_no_matrix_of_numbers_are_refused(patterns):
    with pytest.raises(
        ValueError, match=r"patterns must be a finite matrix \(P, n\), not empty, found shape"
    ):
        store(patterns)
