"""The order across layers against every set of masks, a plain greedy loop, and planted allocations."""

import itertools

import numpy as np
import pytest

from deeptheory.theory import (
    RemovalPaths,
    budget_order,
    connection_scores,
    largest_dilution,
    margin_noise,
    noisy_snr,
    pairwise_accuracy,
    paths_from_costs,
    removal_costs,
    removal_paths,
    residual_variance,
)


def margins(rng, n_labels):
    mean = rng.uniform(1.5, 3, (n_labels, n_labels))
    np.fill_diagonal(mean, 0)
    return mean, rng.uniform(0.5, 1.5, (n_labels, n_labels)) * ~np.eye(n_labels, dtype=bool)


def accuracy(mean, variance, residuals, squares):
    noise = sum(margin_noise(e, g) for e, g in zip(residuals, squares, strict=True))
    return pairwise_accuracy(noisy_snr(mean, variance, noise)).mean()


def layer(rng, n_filters, width, n_labels):
    factor = rng.standard_normal((width, 3 * width))
    return (
        factor @ factor.T / (3 * width),
        rng.standard_normal((n_filters, width)) / width**0.5,
        0.3 * rng.random((n_filters, n_labels, n_labels)),
    )


def masks_keeping_one(n_filters, n_inputs):
    rows = [row for row in itertools.product([True, False], repeat=n_inputs) if any(row)]
    return [np.array(mask) for mask in itertools.product(rows, repeat=n_filters)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_greedy_against_every_set_of_masks_in_two_layers(seed):
    rng = np.random.default_rng(seed)
    mean, variance = margins(rng, 3)
    layers = [layer(rng, 2, 3, 3), layer(rng, 1, 4, 3)]
    squares = [30 * square for _, _, square in layers]
    order = budget_order([removal_paths(g, w, w.shape[1]) for g, w, _ in layers], squares, mean, variance)
    options = [
        [(int((~mask).sum()), residual_variance(g, w, mask)) for mask in masks_keeping_one(*w.shape)]
        for g, w, _ in layers
    ]
    best = np.zeros(len(order.layer) + 1)
    for (n_first, first), (n_second, second) in itertools.product(*options):
        best[n_first + n_second] = max(
            best[n_first + n_second], accuracy(mean, variance, [first, second], squares)
        )
    np.testing.assert_allclose(order.dilution, np.arange(8) / 10)
    assert np.all(order.accuracy < best + 1e-12)
    np.testing.assert_allclose(order.accuracy[:2], best[:2], rtol=1e-12)
    assert np.max(best - order.accuracy) < 0.005 < 0.08 < best[0] - best[-1]


def test_the_accuracy_along_the_order_is_that_of_its_masks():
    rng = np.random.default_rng(2)
    mean, variance = margins(rng, 4)
    layers = [layer(rng, 5, 36, 4), layer(rng, 6, 30, 4)]
    squares = [square for _, _, square in layers]
    paths = [removal_paths(layers[0][0], layers[0][1], 4), removal_paths(layers[1][0], layers[1][1], 30)]
    order = budget_order(paths, squares, mean, variance)
    assert order.grids == ((5, 4), (6, 30))
    assert order.group_sizes == (9, 1)
    assert len(order.layer) == 5 * 3 + 6 * 29
    assert order.dilution[-1] == pytest.approx((5 * 3 * 9 + 6 * 29) / (5 * 36 + 6 * 30))
    for point in range(0, len(order.dilution), 7):
        masks = order.masks(order.dilution[point])
        removed = sum((~mask).sum() * size for mask, size in zip(masks, order.group_sizes, strict=True))
        assert removed / 360 == pytest.approx(order.dilution[point])
        residuals = [residual_variance(g, w, mask) for (g, w, _), mask in zip(layers, masks, strict=True)]
        for of_layer, residual in zip(order.residual, residuals, strict=True):
            np.testing.assert_allclose(of_layer[point], residual, rtol=1e-8, atol=1e-14)
        assert order.accuracy[point] == pytest.approx(accuracy(mean, variance, residuals, squares))
    assert np.all(np.diff(order.accuracy) < 1e-12)
    assert all(mask.any(axis=1).all() for mask in order.masks(0.999))
    assert all(mask.all() for mask in order.masks(0))


def test_each_connection_goes_once_and_along_its_filters_path():
    rng = np.random.default_rng(3)
    mean, variance = margins(rng, 3)
    g, w, square = layer(rng, 30, 20, 3)
    paths = removal_paths(g, w, 20)
    order = budget_order([paths], [square], mean, variance)
    for row in range(30):
        np.testing.assert_array_equal(order.input[order.filter == row], paths.inputs[row])


def test_the_order_is_that_of_a_plain_loop_over_all_filters():
    rng = np.random.default_rng(4)
    mean, variance = margins(rng, 3)
    layers = [layer(rng, 3, 6, 3), layer(rng, 4, 5, 3)]
    squares = [square for _, _, square in layers]
    paths = [removal_paths(g, w, w.shape[1]) for g, w, _ in layers]
    order = budget_order(paths, squares, mean, variance)
    gone = [np.zeros(3, int), np.zeros(4, int)]
    residuals = [np.pad(path.residual, ((0, 0), (1, 0))) for path in paths]
    for number, row in zip(order.layer, order.filter, strict=True):
        present = [e[np.arange(len(e)), count] for e, count in zip(residuals, gone, strict=True)]
        losses = {}
        for candidate, e in enumerate(residuals):
            for b in range(len(e)):
                if gone[candidate][b] + 1 < e.shape[1]:
                    # The loss of a thousandth of the rise: its first order.
                    rise = e[b, gone[candidate][b] + 1] - present[candidate][b]
                    more = [part.copy() for part in present]
                    more[candidate][b] += 1e-3 * rise
                    losses[candidate, b] = accuracy(mean, variance, present, squares) - accuracy(
                        mean, variance, more, squares
                    )
        assert min(losses, key=losses.get) == (number, row)
        gone[number][row] += 1


def test_scores_are_the_slope_of_the_accuracy():
    rng = np.random.default_rng(5)
    mean, variance = margins(rng, 4)
    g, w, square = layer(rng, 3, 18, 4)
    costs = removal_costs(g, w, np.ones((3, 2), bool))
    scores = connection_scores(costs, 9, square, mean, variance)
    none = np.zeros(3)
    for b in range(3):
        for q in range(2):
            step = 1e-4 * costs[b, q] * (np.arange(3) == b)
            slope = accuracy(mean, variance, [none], [square]) - accuracy(mean, variance, [step], [square])
            assert scores[b, q] == pytest.approx(slope / 1e-4 / 9, rel=1e-3)


def test_noise_is_no_gain_where_the_rival_is_ahead():
    mean, variance = np.array([[0.0, -1.0], [2.0, 0.0]]), np.ones((2, 2))
    square = np.zeros((2, 2, 2))
    square[0, 0, 1] = square[1, 1, 0] = 1.0
    scores = connection_scores(np.ones((2, 3)), 1, square, mean, variance)
    np.testing.assert_array_equal(scores[0], 0)
    assert np.all(scores[1] > 0)


def test_dilution_goes_to_the_layer_that_bears_it():
    rng = np.random.default_rng(6)
    mean, variance = margins(rng, 3)
    g, w, square = layer(rng, 8, 12, 3)
    order = budget_order([removal_paths(g, w, 12)] * 2, [square, 1e-3 * square], mean, variance)
    first, second = (mask.mean() for mask in order.masks(0.4))
    assert second < 0.3
    assert first > 0.85
    # And evenly between equals.
    order = budget_order([removal_paths(g, w, 12)] * 2, [square] * 2, mean, variance)
    first, second = (mask.mean() for mask in order.masks(0.5))
    assert first == pytest.approx(second, abs=1 / 96)


def test_larger_connections_pay_for_their_size():
    mean, variance = np.full((2, 2), 2.0), np.ones((2, 2))
    small = paths_from_costs(np.array([[1.0, 1.0, 1.0]]), 1)
    large = paths_from_costs(np.array([[2.0, 2.0, 2.0]]), 9)
    order = budget_order([small, large], [np.full((1, 2, 2), 1e-3)] * 2, mean, variance)
    np.testing.assert_array_equal(order.layer, [1, 1, 0, 0])
    np.testing.assert_allclose(order.dilution, np.array([0, 9, 18, 19, 20]) / 30)


def test_the_largest_dilution_ends_where_the_tolerance_is_first_broken():
    dilution, predicted = [0.0, 0.2, 0.4, 0.6, 0.8], [0.9, 0.898, 0.897, 0.89, 0.896]
    assert largest_dilution(dilution, predicted, 0.005) == 0.4
    assert largest_dilution(dilution, predicted, 0.001) == 0.0
    assert largest_dilution(dilution, predicted, 0.5) == 0.8


G = np.ones((2, 3, 3))
MARGIN = np.ones((3, 3))
PATHS = RemovalPaths(np.zeros((2, 1), int), np.ones((2, 1)), 1)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: largest_dilution([0.0], [0.9], 0), r"tolerance must be within \(0, 1\), found 0"),
        (lambda: largest_dilution([0.0], [0.9], 1.0), r"tolerance must be within \(0, 1\), found 1.0"),
        (lambda: largest_dilution([0.0, 0.1], [0.9], 0.1), r"must both be \(P,\), found \(2,\) and \(1,\)"),
        (lambda: largest_dilution([0.1, 0.0], [0.9, 0.9], 0.1), r"dilution must increase within \[0, 1\)"),
        (lambda: largest_dilution([0.0, 1.0], [0.9, 0.9], 0.1), r"dilution must increase within \[0, 1\)"),
        (lambda: largest_dilution([0.0], [90.0], 0.1), r"accuracy must be within \[0, 1\], found \[90.\]"),
        (lambda: budget_order([], [], MARGIN, MARGIN), "must be of one length, at least 1, found 0 and 0"),
        (lambda: budget_order([PATHS], [G, G], MARGIN, MARGIN), "one length, at least 1, found 1 and 2"),
        (
            lambda: budget_order([PATHS], [G[:1]], MARGIN, MARGIN),
            r"squared_sensitivity 0 must be \(2, 3, 3\), found \(1, 3, 3\)",
        ),
        (
            lambda: budget_order([PATHS], [G], MARGIN, 0 * MARGIN),
            r"margin_variance must be within \(0, inf\)",
        ),
        (lambda: budget_order([PATHS], [G], MARGIN, MARGIN).masks(1.0), r"dilution must be within \[0, 1\)"),
        (
            lambda: connection_scores(np.ones((3, 2)), 1, G, MARGIN, MARGIN),
            r"costs must be within \[0, inf\) and \(2, n_inputs\), found \(3, 2\)",
        ),
        (
            lambda: connection_scores(np.ones((2, 2)), 0, G, MARGIN, MARGIN),
            "group_size must be at least 1, found 0",
        ),
    ],
)
def test_refused_input_names_the_range(call, text):
    with pytest.raises(ValueError, match=text):
        call()
