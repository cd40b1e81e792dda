"""Hidden units of a student that can be removed, found from its order parameters before any removal."""

from collections.abc import Iterable
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.theory.committee.order_parameters import OrderParameters, error_with_signs, output_signs

_MOST_SETS = 200_000  # ranked within a second or two


class Deletion(NamedTuple):
    """A set of student units and the generalisation error right after it is deleted.

    Parameters
    ----------
    units : tuple of int
        Deleted units by their index in the full student; in the order of deletion for `greedy_deletions`.
    generalisation_error : float
        Without further training, where units that share a teacher unit appear indispensable.
    """

    units: tuple[int, ...]
    generalisation_error: float


def delete_units(parameters: OrderParameters, units: Iterable[int]) -> OrderParameters:
    """Order parameters of the student without some of its units: their rows of Q and R deleted.

    Status: exact. `learning_curve` from the result describes further training of the smaller student.

    Raises
    ------
    ValueError
        If a unit is named twice or outside 0..K-1, or none would be left.
    """
    kept = np.delete(np.arange(parameters.n_students), checked_units(parameters.n_students, units))
    return OrderParameters(parameters.Q[np.ix_(kept, kept)], parameters.R[kept], parameters.T)


def ranked_deletions(parameters: OrderParameters, n_deleted: int) -> list[Deletion]:
    """Every set of `n_deleted` student units, in order of increasing error after their deletion.

    Exhaustive: K! / (n! (K - n)!) sets. Status: exact, given the order parameters. Source: deeptheory.

    Raises
    ------
    ValueError
        If `n_deleted` is not within 1..K-1, or there are more than 200,000 sets.
    """
    K = parameters.n_students
    if not 1 <= n_deleted < K:
        raise ValueError(f"n_deleted must be within 1..{K - 1} (one unit has to stay), found {n_deleted}")
    if comb(K, n_deleted) > _MOST_SETS:
        raise ValueError(
            f"sets of {n_deleted} among {K} units must be {_MOST_SETS} at most, found {comb(K, n_deleted)}; "
            "greedy_deletions finds nested ones"
        )
    sets = np.array(list(combinations(range(K), n_deleted)))
    errors = _errors_without(parameters, sets)
    return [
        Deletion(tuple(sets[number].tolist()), float(errors[number]))
        for number in np.argsort(errors, kind="stable")
    ]


def greedy_deletions(parameters: OrderParameters) -> list[Deletion]:
    """Units deleted one by one until one is left, each time the one whose deletion leaves the least error.

    Status: a heuristic: exact errors of nested sets, which need not be the best sets of their size (two units
    that cancel each other can only be deleted together). Source: deeptheory.

    Returns
    -------
    list of K - 1 Deletion
        Nested: each adds one unit to the one before.
    """
    deleted: tuple[int, ...] = ()
    deletions = []
    for _ in range(parameters.n_students - 1):
        left = [unit for unit in range(parameters.n_students) if unit not in deleted]
        errors = _errors_without(parameters, np.array([[*deleted, unit] for unit in left]))
        best = int(errors.argmin())
        deleted = (*deleted, left[best])
        deletions.append(Deletion(deleted, float(errors[best])))
    return deletions


def _errors_without(parameters: OrderParameters, sets: NDArray[np.integer]) -> NDArray[np.float64]:
    """Generalisation errors (S,) after deleting each of the sets (S, n) of units."""
    signs = np.tile(output_signs(*parameters.R.shape), (len(sets), 1))
    np.put_along_axis(signs, sets, 0.0, axis=1)
    return error_with_signs(parameters.covariance, signs)


def checked_units(K: int, units: Iterable[int]) -> list[int]:
    """`units` after checking that they are different, within 0..K-1, and not all."""
    listed = list(units)
    inside = all(0 <= unit < K for unit in listed)
    if not inside or len(set(listed)) != len(listed) or len(listed) >= K:
        raise ValueError(
            f"units must be different, within 0..{K - 1} and fewer than {K} (one has to stay), found {listed}"
        )
    return listed
