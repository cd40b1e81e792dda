"""Cost of removing one more input of a filter, and the order of least cost."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from deeptheory.theory.budget.moment import RIDGE, by_support, checked, checked_weights, regularised

# Rows of the inverse updated at once, so that the product stays in the cache.
_SLAB = 128


@dataclass(frozen=True)
class RemovalPaths:
    """Every filter's inputs in the order of removal; each filter keeps its last one.

    Attributes
    ----------
    inputs : int64 array (B, n_inputs - 1)
        The input removed at each step.
    residual : float64 array (B, n_inputs - 1)
        `residual_variance` after that step, which never decreases.
    group_size : int
        Weights of one connection, D / n_inputs: 9 for a 3x3 kernel.
    """

    inputs: NDArray[np.int64]
    residual: NDArray[np.float64]
    group_size: int

    def __post_init__(self) -> None:
        if self.inputs.ndim != 2 or self.inputs.shape != self.residual.shape:
            raise ValueError(
                "inputs and residual must both be (B, n_inputs - 1), "
                f"found {self.inputs.shape} and {self.residual.shape}"
            )

    @property
    def n_inputs(self) -> int:
        """Inputs of every filter, including the one that is kept."""
        return int(self.inputs.shape[1]) + 1


def removal_costs(
    second_moment: NDArray[np.floating],
    weights: NDArray[np.floating],
    mask: NDArray[np.bool_],
    ridge: float = RIDGE,
) -> NDArray[np.float64]:
    r"""Rise of every filter's residual variance when one more input is removed and the others are refitted.

    .. math:: \Delta e_q = u_q^T \left([G_{SS}^{-1}]_{qq}\right)^{-1} u_q

    with u the refitted weights on the present support S. Status: exact, as `residual_variance`. Source: Hassibi
    and Stork, "Second order derivatives for network pruning: optimal brain surgeon" (1993), here for the square
    error of z_b, with groups of weights.

    Parameters
    ----------
    second_moment, weights, mask, ridge
        As in `refitted_weights`; the mask is the present support, and `weights` are those before any removal.

    Returns
    -------
    float64 array (B, n_inputs)
        inf where an input is already removed. The costs of two inputs do NOT add up: each may be 0 as long as
        the other is kept. One inverse per distinct row of the mask: for a full mask one for all filters.

    Raises
    ------
    ValueError
        As `refitted_weights`.
    """
    moment, values = checked(second_moment, weights, mask, ridge)
    size = values.shape[1] // mask.shape[1]
    costs = np.full(mask.shape, np.inf)
    for filters, support in by_support(mask, size):
        inverse = _inverse(scipy.linalg.cholesky(moment[np.ix_(support, support)], lower=True))
        # u = G_SS^-1 (G w)_S: the same refit, from the product with all weights.
        refitted = (values[filters] @ moment[:, support]) @ inverse
        blocks = _diagonal_blocks(inverse, size)
        groups = refitted.reshape(len(filters), -1, size)
        solved = np.linalg.solve(blocks, groups.transpose(1, 2, 0)).transpose(2, 0, 1)
        costs[np.ix_(filters, support[::size] // size)] = np.sum(groups * solved, axis=2)
    return costs


def costs_without_refit(
    second_moment: NDArray[np.floating], weights: NDArray[np.floating], n_inputs: int
) -> NDArray[np.float64]:
    r"""Mean square of what every connection carries by itself, :math:`w_q^T G_{qq} w_q`.

    The simplest approximation of `removal_costs`: at the full mask an upper bound of it (up to the ridge), as it
    ignores what other inputs can take over. Status: exact for the removal of one connection without a refit,
    model of its cost after one. Source: deeptheory; for single weights the activation-weighted magnitude.

    Parameters
    ----------
    second_moment, weights
        As in `refitted_weights`.
    n_inputs : int
        Inputs of each filter, a divisor of D.

    Returns
    -------
    float64 array (B, n_inputs)
        In units of z_b squared. A large value does not mean that the connection is needed.

    Raises
    ------
    ValueError
        As `refitted_weights`, and if n_inputs does not divide D.
    """
    regularised(second_moment, RIDGE)  # for its checks
    values = checked_weights(weights, len(second_moment), n_inputs)
    groups = values.reshape(len(values), n_inputs, -1)
    blocks = _diagonal_blocks(np.asarray(second_moment, np.float64), groups.shape[2])
    costs: NDArray[np.float64] = np.einsum("bqi,qij,bqj->bq", groups, blocks, groups, optimize=True)
    return costs


def removal_paths(
    second_moment: NDArray[np.floating], weights: NDArray[np.floating], n_inputs: int, ridge: float = RIDGE
) -> RemovalPaths:
    r"""Greedy order of every filter: always the input of least cost, the others refitted after each removal.

    The inverse follows by a block update, so that one removal costs O(D^2 k) instead of O(D^3):

    .. math:: u \leftarrow u - P_{:q} P_{qq}^{-1} u_q, \qquad
              P \leftarrow P - P_{:q} P_{qq}^{-1} P_{q:}, \qquad P = G_{SS}^{-1}

    Status: the residuals are exact for the order (up to the ridge), the order is a heuristic: another set of the
    same size can leave less. Source: as `removal_costs`.

    Parameters
    ----------
    second_moment, weights, ridge
        As in `refitted_weights`.
    n_inputs : int
        Inputs of each filter, a divisor of D.

    Returns
    -------
    RemovalPaths
        Work of D^3 per filter, memory of 16 D^2 bytes: for wide layers use `paths_from_costs`.

    Raises
    ------
    ValueError
        As `refitted_weights`, and if n_inputs does not divide D.
    """
    moment, factor = regularised(second_moment, ridge)
    values = checked_weights(weights, len(moment), n_inputs)
    inverse = _inverse(factor)
    paths = [_greedy(row, inverse.copy(), n_inputs) for row in values]
    inputs, residual = (np.array(part) for part in zip(*paths, strict=True))
    return RemovalPaths(inputs, residual, len(moment) // n_inputs)


def paths_from_costs(costs: NDArray[np.float64], group_size: int) -> RemovalPaths:
    """Order and residuals when costs are taken once and added up: the fast approximation of `removal_paths`.

    Status: model. Source: deeptheory. It ignores how inputs depend on each other. From `removal_costs` at the full
    mask two copies of one input both cost nothing, and the residual is too low by all that they carry; from
    `costs_without_refit` nothing is taken over by other inputs, and correlations of removed inputs are ignored.

    Parameters
    ----------
    costs : float64 array (B, n_inputs)
        Finite and >= 0.
    group_size : int
        Weights of one connection.

    Returns
    -------
    RemovalPaths
        `residual` is an estimate; `residual_variance` of the mask gives the exact one.

    Raises
    ------
    ValueError
        If a cost is negative or not finite, or group_size < 1.
    """
    if costs.ndim != 2 or not costs.size or not np.all((costs >= 0) & (costs < np.inf)):
        raise ValueError(f"costs must be within [0, inf) and (B, n_inputs), found {costs.shape}")
    if group_size < 1:
        raise ValueError(f"group_size must be at least 1, found {group_size}")
    order = np.argsort(costs, axis=1, kind="stable")[:, :-1]
    return RemovalPaths(order, np.cumsum(np.take_along_axis(costs, order, axis=1), axis=1), group_size)


def residuals_along(
    second_moment: NDArray[np.floating],
    weights: NDArray[np.floating],
    inputs: NDArray[np.integer],
    ridge: float = RIDGE,
) -> NDArray[np.float64]:
    r"""Exact residual variances along any order of removal, from one Cholesky factor per filter.

    With the weights sorted in reverse order of removal and :math:`G = L L^T`,

    .. math:: e_b = \sum_{i \in R} (L^T w)_i^2

    for the removed weights R of every step. So the orders of other criteria are compared by the same measure.
    Status: exact, as `residual_variance`. Source: deeptheory.

    Parameters
    ----------
    second_moment, weights, ridge
        As in `refitted_weights`.
    inputs : int array (B, n_inputs - 1)
        The order of every filter, as in `RemovalPaths`.

    Returns
    -------
    float64 array (B, n_inputs - 1)

    Raises
    ------
    ValueError
        As `refitted_weights`, and if a row is not n_inputs - 1 different inputs.
    """
    moment, _ = regularised(second_moment, ridge)
    n_inputs = inputs.shape[1] + 1
    values = checked_weights(weights, len(moment), n_inputs)
    steps = np.sort(inputs, axis=1)
    if len(inputs) != len(values) or np.any(
        (steps < 0) | (steps >= n_inputs) | (np.diff(steps, axis=1, prepend=-1) == 0)
    ):
        raise ValueError(
            f"inputs must be ({len(values)}, n_inputs - 1) different numbers of inputs per filter"
        )
    size = len(moment) // n_inputs
    residuals = np.empty(inputs.shape)
    for row, order, residual in zip(values, inputs, residuals, strict=True):
        last = np.setdiff1d(np.arange(n_inputs), order)
        sequence = np.concatenate([last, order[::-1]])
        columns = (sequence[:, None] * size + np.arange(size)).ravel()
        factor = scipy.linalg.cholesky(moment[np.ix_(columns, columns)], lower=True)
        carried = np.sum((factor.T @ row[columns]).reshape(n_inputs, size) ** 2, axis=1)
        residual[:] = np.cumsum(carried[:0:-1])
    return residuals


def _greedy(
    weights: NDArray[np.float64], inverse: NDArray[np.float64], n_inputs: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Order and residuals of one filter; `inverse` is overwritten."""
    size = len(weights) // n_inputs
    values, names = weights.copy(), np.arange(n_inputs)
    order, residual = np.empty(n_inputs - 1, np.int64), np.empty(n_inputs - 1)
    total = 0.0
    for step in range(n_inputs - 1):
        left = n_inputs - step
        groups = values[: left * size].reshape(left, size)
        solved = np.linalg.solve(
            _diagonal_blocks(inverse[: left * size, : left * size], size), groups[..., None]
        )
        costs = np.sum(groups * solved[..., 0], axis=1)
        best = int(np.argmin(costs))
        total += costs[best]
        order[step], residual[step] = names[best], total
        _remove(values, inverse, best, left, size)
        names[best] = names[left - 1]
    return order, residual


def _remove(
    values: NDArray[np.float64], inverse: NDArray[np.float64], group: int, left: int, size: int
) -> None:
    """Update by the removal of one group; the last group moves into its place, so that the rest is contiguous."""
    stop = left * size
    removed = slice(group * size, (group + 1) * size)
    rows = inverse[removed, :stop].copy()
    factor = scipy.linalg.cholesky(rows[:, removed], lower=True)
    change = scipy.linalg.solve_triangular(factor, rows, lower=True)
    values[:stop] -= scipy.linalg.solve_triangular(factor, values[removed], lower=True) @ change
    for start in range(0, stop, _SLAB):
        slab = slice(start, min(start + _SLAB, stop))
        inverse[slab, :stop] -= change[:, slab].T @ change
    end = slice(stop - size, stop)
    values[removed] = values[end]
    inverse[removed, :stop] = inverse[end, :stop]
    inverse[:stop, removed] = inverse[:stop, end]


def _diagonal_blocks(matrix: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    n_groups = len(matrix) // size
    blocks: NDArray[np.float64] = np.einsum("qiqj->qij", matrix.reshape(n_groups, size, n_groups, size))
    return blocks


def _inverse(factor: NDArray[np.float64]) -> NDArray[np.float64]:
    inverse: NDArray[np.float64] = scipy.linalg.cho_solve((factor, True), np.eye(len(factor)))
    return inverse
