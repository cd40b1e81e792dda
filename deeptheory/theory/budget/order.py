"""The order in which connections of all layers are removed, by the predicted loss of accuracy of each."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from deeptheory.theory.budget.margins import (
    checked_sensitivity,
    noisy_snr,
    pairwise_accuracy,
    weighted_sum,
)
from deeptheory.theory.budget.removal import RemovalPaths

# Number of times along an order that the accuracy is predicted and the rates of the filters are updated.
_BLOCKS = 100


@dataclass(frozen=True)
class BudgetOrder:
    """Connections of all layers in the order of removal; every filter keeps one.

    Attributes
    ----------
    layer, filter, input : int64 arrays (T,)
        The connection removed at each step.
    dilution : float64 array (P,)
        Removed shares of all weights at which the accuracy was predicted, from 0 to the end of the order.
    accuracy : float64 array (P,)
        Predicted accuracy at these dilutions (`pairwise_accuracy`, mean over labels).
    residual : tuple of float64 arrays (P, B)
        Residual variances of every layer at these dilutions.
    grids : tuple of (int, int)
        Filters and inputs of every layer.
    group_sizes : tuple of int
        Weights of one connection in every layer.
    """

    layer: NDArray[np.int64]
    filter: NDArray[np.int64]
    input: NDArray[np.int64]
    dilution: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    residual: tuple[NDArray[np.float64], ...]
    grids: tuple[tuple[int, int], ...]
    group_sizes: tuple[int, ...]

    def masks(self, dilution: float) -> list[NDArray[np.bool_]]:
        """Masks (B, n_inputs) of the layers, True where kept, that remove this share of all weights at most.

        Raises
        ------
        ValueError
            If dilution is not within [0, 1). Beyond the end of the order every filter keeps its last input.
        """
        if not 0 <= dilution < 1:
            raise ValueError(f"dilution must be within [0, 1), found {dilution}")
        removed = np.cumsum(np.array(self.group_sizes)[self.layer])
        # Half a weight: a dilution read off this order is met exactly.
        count = int(
            np.searchsorted(removed, dilution * _n_weights(self.grids, self.group_sizes) + 0.5, side="right")
        )
        masks = [np.ones(grid, dtype=bool) for grid in self.grids]
        for number, mask in enumerate(masks):
            steps = np.flatnonzero(self.layer[:count] == number)
            mask[self.filter[steps], self.input[steps]] = False
        return masks

    def laid_out(self, values: NDArray[np.floating]) -> list[NDArray[np.float64]]:
        """Values of the removals (T,) by connection, (B, n_inputs) for every layer; 1 where none is removed."""
        layers = [np.ones(grid) for grid in self.grids]
        for number, grid in enumerate(layers):
            steps = self.layer == number
            grid[self.filter[steps], self.input[steps]] = values[steps]
        return layers


def connection_scores(
    costs: NDArray[np.float64],
    group_size: int,
    squared_sensitivity: NDArray[np.floating],
    margin_mean: NDArray[np.floating],
    margin_variance: NDArray[np.floating],
) -> NDArray[np.float64]:
    r"""Predicted loss of accuracy per weight when a single connection is removed, to first order.

    .. math:: s_{ba} = \frac{\Delta e_{ba}}{k} \sum_{ij} g_{b,ij}^2
              \left(-\frac{\partial P}{\partial v_{ij}}\right), \qquad
              P = \frac1K \sum_i \prod_{j \ne i} \Phi(m_{ij}/\sqrt{v_{ij}})

    Status: model (ours), with the assumptions of `margin_noise` and `pairwise_accuracy`. A pair whose mean margin
    is negative contributes 0, so that noise which turns wrong answers into guesses is not counted as a gain.

    Parameters
    ----------
    costs : float64 array (B, n_inputs)
        `removal_costs` at the full mask, or `costs_without_refit`.
    group_size : int
        k, weights of one connection.
    squared_sensitivity : float array (B, K, K)
        As in `margin_noise`.
    margin_mean, margin_variance : float arrays (K, K)
        As in `noisy_snr`.

    Returns
    -------
    float64 array (B, n_inputs)
        Comparable between layers; small = prunable. Holds for one connection at a time: for many, `budget_order`.

    Raises
    ------
    ValueError
        If the shapes disagree, a cost is negative or not finite, group_size < 1, or as `noisy_snr`.
    """
    squares = checked_sensitivity(squared_sensitivity)
    if costs.ndim != 2 or len(costs) != len(squares) or not np.all((costs >= 0) & (costs < np.inf)):
        raise ValueError(f"costs must be within [0, inf) and ({len(squares)}, n_inputs), found {costs.shape}")
    if group_size < 1:
        raise ValueError(f"group_size must be at least 1, found {group_size}")
    rates = _loss_rates(margin_mean, margin_variance, np.zeros(squares.shape[1:]))
    return costs * _filter_rates(squares, rates)[:, None] / group_size


def budget_order(
    paths: Sequence[RemovalPaths],
    squared_sensitivities: Sequence[NDArray[np.floating]],
    margin_mean: NDArray[np.floating],
    margin_variance: NDArray[np.floating],
) -> BudgetOrder:
    """Remove connections across all layers in order of least predicted loss of accuracy per weight.

    The noise is a sum over filters, and a filter's residual depends on its own support only. So the paths of the
    filters are merged: of the next connections of all filters the one with the smallest score is removed
    (`connection_scores` with the rise of its residual); the rates in the scores are updated a hundred times.
    Status: model (ours), with the assumptions of `margin_noise` and `pairwise_accuracy`; the order is greedy:
    it does not remove a costly connection to reach cheap ones behind it.

    Parameters
    ----------
    paths : sequence of RemovalPaths
        One per layer (`removal_paths` or `paths_from_costs`).
    squared_sensitivities : sequence of float arrays (B, K, K)
        One per layer, as in `margin_noise`.
    margin_mean, margin_variance : float arrays (K, K)
        As in `noisy_snr`, of the unpruned network.

    Returns
    -------
    BudgetOrder
        Its accuracy is that before retraining, which can recover what the refit of single layers cannot.

    Raises
    ------
    ValueError
        If there is no layer or the shapes disagree, and as in `noisy_snr` and `margin_noise`.
    """
    squares = _checked_layers(paths, squared_sensitivities)
    # (B, n_inputs); the first column is 0, nothing removed
    residuals = [np.pad(path.residual, ((0, 0), (1, 0))) for path in paths]
    rises = [row / path.group_size for path, e in zip(paths, residuals, strict=True) for row in np.diff(e)]
    owner = [(number, row) for number, path in enumerate(paths) for row in range(len(path.inputs))]
    n_steps = sum(len(row) for row in rises)
    block = max(1, -(-n_steps // _BLOCKS))

    removed_inputs = np.zeros(len(rises), np.int64)  # of every filter
    steps: list[tuple[int, int, int]] = []
    counts, accuracies, visited = [], [], []
    while True:
        present = [
            np.take_along_axis(e, count[:, None], axis=1)[:, 0]
            for e, count in zip(residuals, _by_layer(removed_inputs, paths), strict=True)
        ]
        noise = np.sum([weighted_sum(e, square) for e, square in zip(present, squares, strict=True)], axis=0)
        accuracies.append(pairwise_accuracy(noisy_snr(margin_mean, margin_variance, noise)).mean())
        counts.append(len(steps))
        visited.append(present)
        if len(steps) == n_steps:
            break
        rates = _loss_rates(margin_mean, margin_variance, noise)
        filter_rates = np.concatenate([_filter_rates(square, rates) for square in squares])
        for index in _cheapest(rises, filter_rates, removed_inputs, block):
            number, row = owner[index]
            steps.append((number, row, int(paths[number].inputs[row, removed_inputs[index]])))
            removed_inputs[index] += 1

    layer, filter_, input_ = np.array(steps, np.int64).reshape(-1, 3).T
    sizes = tuple(path.group_size for path in paths)
    grids = tuple((len(path.inputs), path.n_inputs) for path in paths)
    removed = np.concatenate([[0], np.cumsum(np.array(sizes)[layer])])
    return BudgetOrder(
        layer,
        filter_,
        input_,
        removed[counts] / _n_weights(grids, sizes),
        np.array(accuracies),
        tuple(np.array(layer_residuals) for layer_residuals in zip(*visited, strict=True)),
        grids,
        sizes,
    )


def largest_dilution(dilution: ArrayLike, accuracy: ArrayLike, tolerance: float) -> float:
    """The largest dilution up to which the predicted accuracy stays within the tolerance.

    Status: exact for the given numbers, as good as the prediction. Source: deeptheory.

    Parameters
    ----------
    dilution : array_like (P,)
        Increasing, the first one without removals (`BudgetOrder.dilution`).
    accuracy : array_like (P,)
        Predicted at these dilutions: `BudgetOrder.accuracy`, or better `noisy_accuracy`.
    tolerance : float
        Accepted loss of accuracy against the first one, in (0, 1): 0.005 is half a point.

    Returns
    -------
    float
        One of the given dilutions: all up to it are within the tolerance. It is not a guarantee: retraining may
        allow more, and a prediction that is too high allows too much.

    Raises
    ------
    ValueError
        If the arrays are not of one length, the dilution does not increase within [0, 1), an accuracy is not
        within [0, 1] or the tolerance is outside (0, 1).
    """
    shares, predicted = np.asarray(dilution, np.float64), np.asarray(accuracy, np.float64)
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must be within (0, 1), found {tolerance}")
    if shares.ndim != 1 or not shares.size or shares.shape != predicted.shape:
        raise ValueError(
            f"dilution and accuracy must both be (P,), found {shares.shape} and {predicted.shape}"
        )
    if not (np.all(np.diff(shares, prepend=-1.0) > 0) and shares[0] >= 0 and shares[-1] < 1):
        raise ValueError(f"dilution must increase within [0, 1), found {shares}")
    if not np.all((predicted >= 0) & (predicted <= 1)):
        raise ValueError(f"accuracy must be within [0, 1], found {predicted}")
    outside = predicted < predicted[0] - tolerance
    return float(shares[np.argmax(outside) - 1] if outside.any() else shares[-1])


def _cheapest(
    rises: Sequence[NDArray[np.float64]],
    filter_rates: NDArray[np.float64],
    removed_inputs: NDArray[np.int64],
    count: int,
) -> list[int]:
    """The filters of the next `count` removals, at fixed rates."""
    following = removed_inputs.copy()

    def scored(index: int) -> tuple[float, int]:
        return filter_rates[index] * rises[index][following[index]], index

    heap = [scored(index) for index in range(len(rises)) if following[index] < len(rises[index])]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < count:
        index = heap[0][1]
        chosen.append(index)
        following[index] += 1
        if following[index] < len(rises[index]):
            heapq.heapreplace(heap, scored(index))
        else:
            heapq.heappop(heap)
    return chosen


def _loss_rates(
    margin_mean: NDArray[np.floating], margin_variance: NDArray[np.floating], noise: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Minus the derivative of the mean pairwise accuracy by the variance of every margin, (K, K)."""
    snr = noisy_snr(margin_mean, margin_variance, noise)
    favourable = np.where(snr > 0, snr, 0.0)  # also the diagonal
    hazard = np.exp(-(favourable**2) / 2) / np.sqrt(2 * np.pi) / ndtr(favourable)
    variance = np.where(np.isnan(snr), 1.0, margin_variance + noise)
    rates: NDArray[np.float64] = (
        pairwise_accuracy(snr)[:, None] * hazard * favourable / (2 * variance * len(snr))
    )
    return rates


def _filter_rates(squares: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    filter_rates: NDArray[np.float64] = squares.reshape(len(squares), -1) @ rates.ravel()
    return filter_rates


def _by_layer(values: NDArray[np.int64], paths: Sequence[RemovalPaths]) -> list[NDArray[np.int64]]:
    return np.split(values, np.cumsum([len(path.inputs) for path in paths])[:-1])


def _n_weights(grids: Sequence[tuple[int, int]], sizes: Sequence[int]) -> int:
    return sum(n_filters * n_inputs * size for (n_filters, n_inputs), size in zip(grids, sizes, strict=True))


def _checked_layers(
    paths: Sequence[RemovalPaths], squared_sensitivities: Sequence[NDArray[np.floating]]
) -> list[NDArray[np.float64]]:
    if not paths or len(paths) != len(squared_sensitivities):
        raise ValueError(
            "paths and squared_sensitivities must be of one length, at least 1, "
            f"found {len(paths)} and {len(squared_sensitivities)}"
        )
    squares = [checked_sensitivity(square) for square in squared_sensitivities]
    for number, (path, square) in enumerate(zip(paths, squares, strict=True)):
        expected = (len(path.inputs), *squares[0].shape[1:])
        if square.shape != expected:
            raise ValueError(f"squared_sensitivity {number} must be {expected}, found {square.shape}")
    return squares
