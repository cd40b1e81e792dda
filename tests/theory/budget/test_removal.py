"""Costs and orders of removal against brute-force inverses, every subset, and planted redundancy."""

import itertools

import numpy as np
import pytest

from deeptheory.theory import (
    RemovalPaths,
    costs_without_refit,
    paths_from_costs,
    removal_costs,
    removal_paths,
    residual_variance,
    residuals_along,
)


def relu_moment(rng, width, n_patches=600, noise=0.3):
    rank = max(2, width // 3)
    common = rng.standard_normal((n_patches, rank)) @ rng.standard_normal((rank, width)) / np.sqrt(rank)
    patches = np.maximum(common + noise * rng.standard_normal((n_patches, width)), 0)
    return patches.T @ patches / n_patches


def masks_along(order, n_inputs):
    """The mask (1, n_inputs) after each removal."""
    mask = np.ones((1, n_inputs), bool)
    for gone in order:
        mask = mask.copy()
        mask[0, gone] = False
        yield mask


def brute_force_costs(g, w, kept, size):
    """The formula with a fresh inverse."""
    support = np.flatnonzero(np.repeat(kept, size))
    inverse = np.linalg.inv(g[np.ix_(support, support)])
    refitted = inverse @ g[support] @ w
    costs = np.full(len(kept), np.inf)
    for number, column in enumerate(np.flatnonzero(kept)):
        own = slice(number * size, (number + 1) * size)
        costs[column] = refitted[own] @ np.linalg.inv(inverse[own, own]) @ refitted[own]
    return costs


@pytest.mark.parametrize(("width", "n_inputs"), [(12, 12), (36, 4), (30, 10)])
def test_costs_are_those_of_a_fresh_inverse_and_the_rise_of_the_residual(width, n_inputs):
    rng = np.random.default_rng(1)
    g, weights = relu_moment(rng, width), rng.standard_normal((5, width))
    mask = rng.random((5, n_inputs)) < 0.7
    mask[:, :2] = True
    mask[3:] = True
    costs = removal_costs(g, weights, mask, ridge=0)
    base = residual_variance(g, weights, mask, ridge=0)
    for b in range(5):
        np.testing.assert_allclose(
            costs[b], brute_force_costs(g, weights[b], mask[b], width // n_inputs), rtol=1e-8
        )
        for q in np.flatnonzero(mask[b]):
            fewer = mask[[b]].copy()
            fewer[0, q] = False
            rise = residual_variance(g, weights[[b]], fewer, ridge=0)[0] - base[b]
            assert costs[b, q] == pytest.approx(rise, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize(("width", "n_inputs"), [(14, 14), (45, 5), (600, 300)])
def test_block_updates_give_the_brute_force_path(width, n_inputs):
    rng = np.random.default_rng(2)
    g, weights = relu_moment(rng, width, 900), rng.standard_normal((2, width))
    ridge = 1e-6
    paths = removal_paths(g, weights, n_inputs, ridge)
    assert paths.n_inputs == n_inputs
    assert paths.group_size == width // n_inputs
    np.testing.assert_allclose(
        residuals_along(g, weights, paths.inputs, ridge), paths.residual, rtol=1e-8, atol=1e-12
    )
    if width > 100:
        return
    full = g + ridge * np.trace(g) / width * np.eye(width)
    for w, order, residual in zip(weights, paths.inputs, paths.residual, strict=True):
        kept = np.ones(n_inputs, bool)
        for step, mask in enumerate(masks_along(order, n_inputs)):
            costs = brute_force_costs(full, w, kept, width // n_inputs)
            assert order[step] == np.argmin(costs)
            kept = mask[0]
            expected = residual_variance(g, w[None], mask, ridge)[0]
            assert residual[step] == pytest.approx(expected, rel=1e-8)


def test_any_order_has_the_residuals_of_its_masks():
    rng = np.random.default_rng(3)
    g, weights = relu_moment(rng, 20), rng.standard_normal((3, 20))
    orders = np.array([rng.permutation(10)[:-1] for _ in range(3)])
    along = residuals_along(g, weights, orders)
    for b, order in enumerate(orders):
        expected = [residual_variance(g, weights[[b]], mask)[0] for mask in masks_along(order, 10)]
        np.testing.assert_allclose(along[b], expected, rtol=1e-8)


def every_residual(g, w):
    """The smallest residual for each number of inputs removed, over every subset."""
    n_inputs = len(w)
    best = []
    for count in range(1, n_inputs):
        masks = np.ones((len(list(itertools.combinations(range(n_inputs), count))), n_inputs), bool)
        for mask, gone in zip(masks, itertools.combinations(range(n_inputs), count), strict=True):
            mask[list(gone)] = False
        best.append(residual_variance(g, np.repeat(w[None], len(masks), axis=0), masks).min())
    return np.array(best)


def test_greedy_against_every_subset():
    rng = np.random.default_rng(4)
    ratios = []
    for _ in range(20):
        g, w = relu_moment(rng, 7), rng.standard_normal(7)
        ratios.append(removal_paths(g, w[None], 7).residual[0] / every_residual(g, w))
    assert np.min(ratios) > 1 - 1e-9
    np.testing.assert_allclose(np.array(ratios)[:, 0], 1, rtol=1e-9)  # a single removal has no better
    assert np.median(ratios) < 1 + 1e-9
    assert np.max(ratios) < 1.4


def test_greedy_is_the_best_for_uncorrelated_inputs():
    rng = np.random.default_rng(5)
    scale, w = rng.uniform(0.1, 3, 8), rng.standard_normal(8)
    paths = removal_paths(np.diag(scale), w[None], 8, ridge=0)
    np.testing.assert_array_equal(paths.inputs[0], np.argsort(scale * w**2)[:-1])
    np.testing.assert_allclose(paths.residual[0], np.cumsum(np.sort(scale * w**2))[:-1])
    np.testing.assert_allclose(paths.residual[0], every_residual(np.diag(scale), w), rtol=1e-5)


def test_the_first_of_two_copies_is_free_and_the_second_is_not():
    rng = np.random.default_rng(6)
    g = relu_moment(rng, 18)
    copy = np.concatenate([np.arange(18), np.arange(9)])  # input 2 is a copy of input 0
    g, weights = g[np.ix_(copy, copy)], rng.standard_normal((1, 27))
    variance = weights[0] @ g @ weights[0]
    costs = removal_costs(g, weights, np.ones((1, 3), bool))[0]
    assert np.all(costs[[0, 2]] < 1e-5 * variance)
    assert costs[1] > 0.01 * variance
    paths = removal_paths(g, weights, 3)
    assert paths.inputs[0, 0] in (0, 2)
    assert paths.residual[0, 0] < 1e-5 * variance < 1e-2 * variance < paths.residual[0, 1]
    # Without updates both look free: the stated failure of the approximation.
    assert paths_from_costs(costs[None], 9).residual[0, 1] < 1e-4 * paths.residual[0, 1]


def test_the_path_of_a_singular_moment_follows_the_exact_residuals():
    rng = np.random.default_rng(7)
    g = relu_moment(rng, 60, n_patches=30)  # rank 30 at most
    g[5], g[:, 5] = 0, 0
    weights = rng.standard_normal((3, 60))
    paths = removal_paths(g, weights, 60)
    variance = np.einsum("bi,ij,bj->b", weights, g, weights)
    assert np.all(paths.residual[:, 20] < 1e-4 * variance)
    assert np.all(np.any(paths.inputs[:, :35] == 5, axis=1))
    np.testing.assert_allclose(residuals_along(g, weights, paths.inputs), paths.residual, rtol=1e-6)
    assert np.all(np.diff(paths.residual, axis=1) >= 0)


def test_costs_without_refit_bound_those_with_one():
    rng = np.random.default_rng(8)
    g, weights = relu_moment(rng, 36), rng.standard_normal((6, 36))
    plain = costs_without_refit(g, weights, 4)
    for b in range(6):
        for q in range(4):
            own = slice(9 * q, 9 * q + 9)
            assert plain[b, q] == pytest.approx(weights[b, own] @ g[own, own] @ weights[b, own], rel=1e-12)
    assert np.all(removal_costs(g, weights, np.ones((6, 4), bool)) < plain)


def test_the_approximation_is_exact_without_correlations_and_sorted():
    rng = np.random.default_rng(9)
    scale, weights = rng.uniform(0.1, 3, 8), rng.standard_normal((3, 8))
    exact = removal_paths(np.diag(scale), weights, 8)
    fast = paths_from_costs(removal_costs(np.diag(scale), weights, np.ones((3, 8), bool)), 1)
    np.testing.assert_array_equal(fast.inputs, exact.inputs)
    np.testing.assert_allclose(fast.residual, exact.residual, rtol=1e-10)


def test_a_filter_of_one_input_has_no_path():
    paths = removal_paths(np.eye(9), np.ones((2, 9)), 1)
    assert paths.inputs.shape == paths.residual.shape == (2, 0)
    assert paths.n_inputs == 1
    np.testing.assert_allclose(removal_costs(np.eye(9), np.ones((2, 9)), np.ones((2, 1), bool), 0), 9)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: removal_paths(np.eye(4), np.ones((2, 4)), 3), "n_inputs must be a divisor of 4, found 3"),
        (lambda: removal_paths(-np.eye(4), np.ones((2, 4)), 4), "must be positive semi-definite"),
        (
            lambda: costs_without_refit(np.eye(4), np.ones((2, 4)), 0),
            "n_inputs must be a divisor of 4, found 0",
        ),
        (
            lambda: removal_costs(np.eye(4), np.ones((2, 4)), np.zeros((2, 4), bool)),
            "mask must keep at least one input of every filter, found none for filter 0",
        ),
        (lambda: paths_from_costs(np.array([[1.0, np.inf]]), 1), r"costs must be within \[0, inf\)"),
        (lambda: paths_from_costs(np.ones((2, 2)), 0), "group_size must be at least 1, found 0"),
        (
            lambda: residuals_along(np.eye(4), np.ones((1, 4)), np.array([[0, 0, 1]])),
            r"inputs must be \(1, n_inputs - 1\) different numbers of inputs per filter",
        ),
        (
            lambda: residuals_along(np.eye(4), np.ones((1, 4)), np.array([[0, 4, 1]])),
            r"inputs must be \(1, n_inputs - 1\) different numbers of inputs per filter",
        ),
        (
            lambda: RemovalPaths(np.zeros((2, 3), int), np.zeros((2, 2)), 1),
            r"inputs and residual must both be \(B, n_inputs - 1\), found \(2, 3\) and \(2, 2\)",
        ),
    ],
)
def test_refused_input_names_the_range(call, text):
    with pytest.raises(ValueError, match=text):
        call()
