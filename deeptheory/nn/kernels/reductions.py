"""Sums over a batch and its positions, one per channel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.system.compiled import njit, prange

PARTS = 16  # a fixed partition: the sums do not depend on the number of threads


def channel_sums(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums over the rows of `a` and of `a*b`, in double precision.

    Parameters
    ----------
    a, b : array (rows, C)

    Returns
    -------
    sum_a, sum_ab : float64 array (C,)
    """
    parts = np.zeros((PARTS, 2, a.shape[1]))
    _partial_sums(a, b, parts)
    total = parts.sum(axis=0)
    return total[0], total[1]


@njit(parallel=True)
def _partial_sums(a, b, parts):
    rows, n_channels = a.shape
    share = (rows + len(parts) - 1) // len(parts)
    for part in prange(len(parts)):
        sum_a, sum_ab = parts[part, 0], parts[part, 1]
        for r in range(part * share, min((part + 1) * share, rows)):
            for c in range(n_channels):
                value = np.float64(a[r, c])
                sum_a[c] += value
                sum_ab[c] += value * b[r, c]
