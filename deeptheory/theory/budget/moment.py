"""Arguments that all formulas of the budget share: a second moment, and weights and a mask in groups."""

from collections.abc import Iterator

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

RIDGE = 1e-6
"""Default of lambda: above the rounding of a moment summed from float32 activations, far below what the patches
of a trained layer carry."""


def regularised(
    second_moment: NDArray[np.floating], ridge: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r""":math:`G + \lambda \bar g\, 1` with :math:`\bar g = \mathrm{tr}\, G / D`, and its lower Cholesky factor.

    Raises
    ------
    ValueError
        If G is not finite, square, symmetric (to 1e-6 of its largest element) and positive semi-definite, or
        zero, or singular at ridge 0, or if ridge is not within [0, inf).
    """
    moment = np.array(second_moment, dtype=np.float64)
    if moment.ndim != 2 or moment.shape[0] != moment.shape[1] or not moment.size:
        raise ValueError(f"second_moment must be (D, D), found {moment.shape}")
    if not 0 <= ridge < np.inf:
        raise ValueError(f"ridge must be within [0, inf), found {ridge}")
    if not np.all(np.isfinite(moment)):
        raise ValueError("second_moment must be finite")
    largest, asymmetry = np.abs(moment).max(), np.abs(moment - moment.T).max()
    if asymmetry > 1e-6 * largest:
        raise ValueError(
            f"second_moment must be symmetric, found elements of up to {largest:g} that differ by {asymmetry:g}"
        )
    moment[np.diag_indices_from(moment)] += ridge * np.trace(moment) / len(moment)
    try:
        return moment, scipy.linalg.cholesky(moment, lower=True)
    except np.linalg.LinAlgError:
        raise ValueError(
            "second_moment must be positive semi-definite and not zero, and positive definite at ridge 0, "
            f"found a ridge of {ridge:g} not enough"
        ) from None


def checked_weights(weights: NDArray[np.floating], width: int, n_inputs: int) -> NDArray[np.float64]:
    """The weights (B, D) in float64; each of `n_inputs` inputs has one group of them."""
    if weights.ndim != 2 or not weights.size or weights.shape[1] != width or not np.all(np.isfinite(weights)):
        raise ValueError(f"weights must be finite (B, {width}), found {weights.shape}")
    if n_inputs < 1 or width % n_inputs:
        raise ValueError(f"n_inputs must be a divisor of {width}, found {n_inputs}")
    return np.asarray(weights, dtype=np.float64)


def checked_mask(mask: NDArray[np.bool_], n_filters: int) -> None:
    """Refuse a mask that is not Boolean (B, n_inputs) or has a filter that keeps no input."""
    if mask.dtype != np.bool_ or mask.ndim != 2 or len(mask) != n_filters:
        raise ValueError(f"mask must be bool ({n_filters}, n_inputs), found {mask.dtype} {mask.shape}")
    empty = np.flatnonzero(~mask.any(axis=1))
    if empty.size:
        raise ValueError(
            f"mask must keep at least one input of every filter, found none for filter {empty[0]}"
        )


def checked(
    second_moment: NDArray[np.floating], weights: NDArray[np.floating], mask: NDArray[np.bool_], ridge: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The regularised moment and the weights in float64, after all checks."""
    moment, _ = regularised(second_moment, ridge)
    checked_mask(mask, len(weights))
    return moment, checked_weights(weights, len(moment), mask.shape[1])


def by_support(
    mask: NDArray[np.bool_], group_size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Filters that keep the same inputs, with the weights that they keep: they share one factorisation."""
    supports, index = np.unique(mask, axis=0, return_inverse=True)
    for number, support in enumerate(supports):
        yield np.flatnonzero(index.ravel() == number), np.flatnonzero(np.repeat(support, group_size))
