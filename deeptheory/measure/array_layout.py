"""From the network's layout, filters innermost, to the filter-major one of probes and fields."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from deeptheory.system.compiled import njit, prange

TILE = 16  # filters and positions transposed at a time: a cache line of float32 each way

Number = TypeVar("Number", np.float32, np.float64)


@njit(parallel=True)
def _transpose(outputs: NDArray[Number], out: NDArray[Number]) -> None:
    n, n_positions, n_filters = outputs.shape
    for x in prange(n):
        for first_p in range(0, n_positions, TILE):
            last_p = min(first_p + TILE, n_positions)
            for first_f in range(0, n_filters, TILE):
                for f in range(first_f, min(first_f + TILE, n_filters)):
                    for p in range(first_p, last_p):
                        out[x, f, p] = outputs[x, p, f]


def filter_major(outputs: NDArray[Number], out: NDArray[Number] | None = None) -> NDArray[Number]:
    """The same numbers with positions innermost.

    Parameters
    ----------
    outputs : float array (n, P, C)
    out : array (n, C, P), optional
        Where to write, any strides.

    Returns
    -------
    array (n, C, P)
    """
    if out is None:
        out = np.empty((len(outputs), outputs.shape[2], outputs.shape[1]), outputs.dtype)
    _transpose(outputs, out)
    return out
