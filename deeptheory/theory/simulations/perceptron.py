"""Dilution of a perceptron by pruning and relearning: the number of couplings that can store given patterns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Array = NDArray[np.float64]

# For the dual problem, whose gradient and solution are of order 1. A stability below about its square root, in
# units of one component of a pattern, counts as 0.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Stored:
    """Couplings of largest stability, and a starting point for storing with fewer couplings.

    Attributes
    ----------
    couplings : float64 array (n,)
        The shortest vector with pattern times couplings at least 1 for every pattern.
    multipliers : float64 array (P,)
        Of the dual problem; zero for patterns with a larger product.
    """

    couplings: Array
    multipliers: Array


def store(patterns: Array, start: Array | None = None) -> Stored | None:
    r"""Couplings of largest stability that store all patterns, or None if the patterns cannot be stored.

    The least :math:`|w|` with :math:`w \cdot \xi^\mu \ge 1` for every pattern, as a non-negative least-squares
    problem in the multipliers, solved by active sets: after finitely many steps it gives the couplings or a proof
    that there are none. Status: exact up to rounding (`TOLERANCE`). Source: Lawson and Hanson,
    "Solving Least Squares Problems" (1974), chapter 23.

    Parameters
    ----------
    patterns : float64 array (P, n)
        Patterns times their labels, +1 or -1, in general position.
    start : float64 array (P,), optional
        Multipliers of a similar problem, for example before some couplings were removed; saves time.

    Returns
    -------
    Stored or None
        Storing says nothing about generalisation: random patterns have no rule to learn.

    Raises
    ------
    ValueError
        If `patterns` is not a finite matrix with a row and a column.
    """
    if patterns.ndim != 2 or not patterns.size or not np.all(np.isfinite(patterns)):
        raise ValueError(f"patterns must be a finite matrix (P, n), not empty, found shape {patterns.shape}")
    n_patterns, n_couplings = patterns.shape
    gram = patterns @ patterns.T / n_couplings + 1.0
    multipliers = np.zeros(n_patterns) if start is None else start.copy()
    # With more active multipliers than couplings the Gram matrix could be singular.
    multipliers[np.argsort(-multipliers)[n_couplings:]] = 0.0
    active = multipliers > 0
    if active.any():
        _solve_active(gram, multipliers, active)
    while (left := 1.0 - multipliers.sum()) > TOLERANCE:
        gradient = np.where(active, 0.0, 1.0 - gram @ multipliers)
        entering = int(gradient.argmax())
        if gradient[entering] <= TOLERANCE:
            couplings = patterns.T @ multipliers / (n_couplings * left)
            return Stored(couplings, multipliers) if np.all(patterns @ couplings > 0) else None
        active[entering] = True
        _solve_active(gram, multipliers, active)
    return None


def _solve_active(gram: Array, multipliers: Array, active: NDArray[np.bool_]) -> None:
    """Solve for the active multipliers, in place; one that would become negative leaves the active set."""
    while True:
        index = np.flatnonzero(active)
        target = cho_solve(cho_factor(gram[np.ix_(index, index)]), np.ones(len(index)))
        if np.all(target > 0):
            multipliers[index] = target
            return
        current = multipliers[index]
        falling = np.flatnonzero(target <= 0)
        steps = current[falling] / (current[falling] - target[falling])
        current += steps.min() * (target - current)
        current[falling[steps.argmin()]] = 0.0
        multipliers[index] = np.maximum(current, 0.0)  # rounding
        active[index] = multipliers[index] > 0


def prune_and_relearn(patterns: Array, share: float = 0.01) -> int:
    """Smallest number of couplings that still stores the patterns after repeated pruning and relearning.

    Learn to largest stability, remove the smallest couplings, learn the remaining ones again, and so on until the
    patterns can no longer be stored. A greedy search: with another choice of couplings fewer may suffice. Status:
    a simulation. Source: deeptheory.

    Parameters
    ----------
    patterns : float64 array (P, N)
        Patterns times their labels, +1 or -1, in general position.
    share : float
        Share of the remaining couplings that is removed each time, in [0, 1); at least one is removed.

    Returns
    -------
    int
        Smallest number of couplings found that stores the patterns; N + 1 if all N do not.

    Raises
    ------
    ValueError
        If `share` is outside [0, 1), or for `patterns` as in `store`.
    """
    if not 0 <= share < 1:
        raise ValueError(f"share must be within [0, 1), found {share}")
    stored = store(patterns)
    n_left = int(patterns.shape[1]) + 1
    while stored is not None:
        n_left = int(patterns.shape[1])
        n_removed = max(1, int(share * n_left))
        if n_removed == n_left:
            break
        kept = np.sort(np.argsort(np.abs(stored.couplings), kind="stable")[n_removed:])
        patterns = patterns[:, kept]
        stored = store(patterns, stored.multipliers)
    return n_left
