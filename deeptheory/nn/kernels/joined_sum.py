"""A sum behind a batch norm with the activation after it, in one pass over the data each way.

With y = a(z + term), z the output of the norm, both terms get the gradient of z + term, which is that of y where
the activation passes it on. Arrays are float32 with channels in sixteens, inside the compiled functions flat.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels.fused_norm import BLOCK, PARTS, share
from deeptheory.nn.kernels.norm_rows import RELU, activate
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import (
    LANES,
    ZERO,
    add_double,
    fill,
    fma,
    load,
    prefetch,
    store,
    where_equal,
)
from deeptheory.system.compiled import njit, prange, signed


def gradient_sums(
    x: NDArray[Any], out: NDArray[Any], dout: NDArray[Any], kind: int, dsum: NDArray[Any], scratch: Scratch
) -> NDArray[np.float64]:
    """Write the gradient of the sum into `dsum`, and return the sums of it and of it times x for each channel.

    Parameters
    ----------
    x, out, dout, dsum : float32 array (N, H, W, C)
        Input of the norm, output of the activation and its gradient, and the gradient of the sum.
    kind : int
        The activation, `RELU` or `IDENTITY`: a ReLU passes on what its output shows.

    Returns
    -------
    float64 array (2, C)
    """
    channels = x.shape[-1]
    parts = scratch.array("channel sums", (PARTS, 2 * channels), np.float64)
    flat = (array.reshape(-1) for array in (x, out, dout, dsum))
    _gradient_sums(*flat, kind, channels, x.size // channels, parts)
    return parts.sum(axis=0).reshape(2, channels)


@njit(parallel=True)
def _gradient_sums(x, out, dout, dsum, kind, channels, positions, parts):
    for index in prange(PARTS):
        part = signed(index)
        total = parts[part]
        total[:] = 0.0
        first, last = share(positions, part)
        for block in range(first, last, BLOCK):
            count = min(BLOCK, last - block)
            ahead = count * channels
            for c in range(0, channels, LANES):
                sum_dz, sum_dzx = fill(ZERO), fill(ZERO)
                at = block * channels + c
                for _ in range(count):
                    prefetch(x, at + ahead)  # the next rows, which the arithmetic would wait for
                    prefetch(dout, at + ahead)
                    dz = load(dout, at)
                    if kind == RELU:
                        prefetch(out, at + ahead)
                        dz = where_equal(load(out, at), fill(ZERO), fill(ZERO), dz)
                    store(dsum, at, dz)
                    sum_dz = sum_dz + dz
                    sum_dzx = fma(dz, load(x, at), sum_dzx)
                    at += channels
                add_double(total, c, sum_dz)
                add_double(total, channels + c, sum_dzx)


@njit(parallel=True)
def add(x, term, kind):
    """x = a(x + term); both flat."""
    for index in prange(PARTS):
        part = signed(index)
        first, last = share(x.size // LANES, part)
        for e in range(first * LANES, last * LANES, LANES):
            store(x, e, activate(load(x, e) + load(term, e), kind))
