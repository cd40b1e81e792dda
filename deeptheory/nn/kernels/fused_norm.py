"""Batch norm, activation and 2 x 2 maximum pooling in one pass over the data.

With z = slope*x + shift of each channel and the activation a, the output is a(z), or the largest a(z) of each
2 x 2 window. Nothing between x and the output is stored: the backward passes compute z and the winner of a window
again from x, which costs less than reading them would.

Arrays are float32 with channels in sixteens. `size` is 2 with pooling and 1 without, and height and width are
even with pooling. Inside the compiled functions arrays are flat, `positions` counts the outputs of one channel and
`width` is that of the output.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels.norm_rows import (
    IDENTITY,
    RELU,
    SILU,
    Normed,
    activate,
    add_gradient_sums,
    add_sums,
    input_gradient,
    through_activation,
)
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import (
    LANES,
    ONE,
    ZERO,
    add_double,
    fill,
    fma,
    load,
    store,
    where_equal,
    where_kept,
)
from deeptheory.system import threadpools
from deeptheory.system.compiled import inner, njit, prange, signed

__all__ = [
    "BLOCK", "IDENTITY", "PARTS", "RELU", "SILU", "Epilogue", "activate", "backward", "channel_sums", "forward",
    "gradient_sums", "share",
]  # fmt: skip

BLOCK = 64  # positions summed in float32 before they are added in float64
LITTLE = 1 << 17  # numbers that one thread goes over sooner than another is woken
PARTS = 16  # a fixed partition: the sums do not depend on the number of threads


class Epilogue(NamedTuple):
    """What follows a convolution: batch norm, activation and pooling.

    Attributes
    ----------
    slope, shift : float32 array (C,)
    kind : int
        The activation, `IDENTITY`, `RELU` or `SILU`; -1 for the convolution alone.
    size : int
        2 with 2 x 2 pooling, else 1.
    """

    slope: NDArray[Any]
    shift: NDArray[Any]
    kind: int
    size: int


_NOTHING = np.empty(0, np.float32)
NO_EPILOGUE = Epilogue(_NOTHING, _NOTHING, -1, 1)


def forward(
    x: NDArray[Any], epilogue: Epilogue, out: NDArray[Any], term: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Write the largest a(slope*x + shift) of each `size` x `size` window of `x` (N, H, W, C) into `out`.

    Without pooling, a(slope*x + shift + term) where a `term` of the shape of x is given.
    """
    positions = out.size // out.shape[-1]
    added = _NOTHING if term is None else term.reshape(-1)
    with threadpools.alone_if(x.size < LITTLE):
        _forward(x.reshape(-1), added, epilogue, out.shape[2], positions, out.reshape(-1))
    return out


def channel_sums(x: NDArray[Any], scratch: Scratch) -> NDArray[np.float64]:
    """Sums of x and of x*x for each channel of `x` (N, H, W, C): float64 (2, C)."""
    channels = x.shape[-1]
    parts = scratch.array("channel sums", (PARTS, 2 * channels), np.float64)
    with threadpools.alone_if(x.size < LITTLE):
        _sums(x.reshape(-1), channels, x.size // channels, parts)
    return parts.sum(axis=0).reshape(2, channels)


def gradient_sums(
    x: NDArray[Any], dout: NDArray[Any], epilogue: Epilogue, scratch: Scratch
) -> NDArray[np.float64]:
    """Sums of dz and of dz*x for each channel, dz the gradient of z = slope*x + shift: float64 (2, C)."""
    channels = x.shape[-1]
    parts = scratch.array("channel sums", (PARTS, 2 * channels), np.float64)
    positions, width = dout.size // channels, dout.shape[2]
    with threadpools.alone_if(x.size < LITTLE):
        _gradient_sums(x.reshape(-1), dout.reshape(-1), epilogue, width, positions, parts)
    return parts.sum(axis=0).reshape(2, channels)


def backward(dout: NDArray[Any], norm: Normed, size: int, dx: NDArray[Any]) -> None:
    """Write slope*dz + slope_x*x + constant into `dx` (N, H, W, C), dz the gradient of z = slope*x + shift."""
    positions, width = dout.size // dout.shape[-1], dout.shape[2]
    with threadpools.alone_if(dx.size < LITTLE):
        _backward(dout.reshape(-1), norm, size, width, positions, dx.reshape(-1), 0)


@inner
def _window(position, size, width):
    """Where the window of an output begins, in positions of x, and its column."""
    if size == 1:
        return position, 0
    row = position // width
    column = position - row * width
    return row * 4 * width + 2 * column, column


@inner
def _next(start, column, size, width):
    """The same for the output after this one, without the division of `_window`."""
    if size == 1:
        return start + 1, 0
    if column + 1 == width:
        return start + 2 + 2 * width, 0
    return start + 2, column + 1


@inner
def _place(start, k, width):
    """Element k of a 2 x 2 window, in positions of x."""
    return start + k % 2 + k // 2 * 2 * width


@inner
def share(positions, part):
    """First and last position of a part, which is made of whole blocks."""
    blocks = (positions + BLOCK - 1) // BLOCK
    return blocks * part // PARTS * BLOCK, min(blocks * (part + 1) // PARTS * BLOCK, positions)


@inner
def _winner(x, start, channels, c, slope, shift, kind, width):
    """Largest a(z) of a 2 x 2 window, and its number as a vector of floats; the first of equals, NaN always."""
    factor, offset = load(slope, c), load(shift, c)
    best = activate(fma(load(x, start * channels + c), factor, offset), kind)
    number = fill(ZERO)
    count = ZERO
    for k in range(1, 4):
        count += ONE
        at = _place(start, k, width) * channels + c
        rival = activate(fma(load(x, at), factor, offset), kind)
        number = where_kept(best, rival, number, fill(count))
        best = where_kept(best, rival, best, rival)
    return best, number


@njit(parallel=True)
def _forward(x, term, epilogue, width, positions, out):
    """out = the largest a(slope*x + shift) of each window, or a(slope*x + shift + term) unless that is empty."""
    slope, shift, kind, size = epilogue
    channels = slope.size
    for index in prange(PARTS):
        part = signed(index)
        first, last = share(positions, part)
        start, column = _window(first, size, width)
        for position in range(first, last):
            for c in range(0, channels, LANES):
                if size == 1:
                    z = fma(load(x, start * channels + c), load(slope, c), load(shift, c))
                    if term.size:
                        z = z + load(term, start * channels + c)
                    best = activate(z, kind)
                else:
                    best, _ = _winner(x, start, channels, c, slope, shift, kind, width)
                store(out, position * channels + c, best)
            start, column = _next(start, column, size, width)


@njit(parallel=True)
def _sums(x, channels, positions, parts):
    """Sums of x and of x*x over the positions, by parts: `parts` is (PARTS, 2*channels) float64."""
    for index in prange(PARTS):
        part = signed(index)
        total = parts[part]
        total[:] = 0.0
        first, last = share(positions, part)
        for block in range(first, last, BLOCK):
            add_sums(x, block * channels, min(BLOCK, last - block), channels, total)


@njit(parallel=True)
def _gradient_sums(x, dout, epilogue, width, positions, parts):
    """Sums of dz and of dz*x over the positions of x, by parts: `parts` is (PARTS, 2*channels) float64."""
    slope, shift, kind, size = epilogue
    for index in prange(PARTS):
        part = signed(index)
        total = parts[part]
        total[:] = 0.0
        first, last = share(positions, part)
        for block in range(first, last, BLOCK):
            end = min(block + BLOCK, last)
            if size == 1:
                add_gradient_sums(x, dout, block * slope.size, end - block, slope, shift, kind, total)
            else:
                _add_pooled_sums(x, dout, block, end, slope, shift, kind, width, total)


@inner
def _add_pooled_sums(x, dout, block, end, slope, shift, kind, width, total):
    """`add_gradient_sums` for the outputs block..end-1 of 2 x 2 pooling."""
    channels = slope.size
    begin, begin_column = _window(block, 2, width)
    for c in range(0, channels, LANES):
        factor, offset = load(slope, c), load(shift, c)
        sum_dz, sum_dzx = fill(ZERO), fill(ZERO)
        start, column = begin, begin_column
        for position in range(block, end):
            value = load(x, start * channels + c)
            _, number = _winner(x, start, channels, c, slope, shift, kind, width)
            count = ZERO
            for k in range(1, 4):
                count += ONE
                rival = load(x, _place(start, k, width) * channels + c)
                value = where_equal(number, fill(count), rival, value)
            dy = load(dout, position * channels + c)
            dz = through_activation(fma(value, factor, offset), dy, kind)
            sum_dz = sum_dz + dz
            sum_dzx = fma(dz, value, sum_dzx)
            start, column = _next(start, column, 2, width)
        add_double(total, c, sum_dz)
        add_double(total, channels + c, sum_dzx)


@njit(parallel=True)
def _backward(dout, norm, size, width, positions, dx, skipped):
    for index in prange(PARTS):
        part = signed(index)
        first, last = share(positions, part)
        write_gradient(dout, norm, size, width, first, last, dx, skipped)


@inner
def write_gradient(dout, norm, size, width, first, last, dx, skipped):
    """`backward` for the outputs first..last-1; `dx` lacks the first `skipped` elements of x."""
    x, slope, shift, slope_x, constant, kind = norm
    channels = slope.size
    start, column = _window(first, size, width)
    for position in range(first, last):
        for c in range(0, channels, LANES):
            if size == 1:
                at = position * channels + c
                store(dx, at - skipped, input_gradient(dout, at, c, norm))
            else:
                factor, offset = load(slope, c), load(shift, c)
                factor_x, addend = load(slope_x, c), load(constant, c)
                dy = load(dout, position * channels + c)
                _, number = _winner(x, start, channels, c, slope, shift, kind, width)
                count = ZERO
                for k in range(4):
                    at = _place(start, k, width) * channels + c
                    value = load(x, at)
                    handed = where_equal(number, fill(count), dy, fill(ZERO))
                    dz = through_activation(fma(value, factor, offset), handed, kind)
                    store(dx, at - skipped, fma(dz, factor, fma(value, factor_x, addend)))
                    count += ONE
        start, column = _next(start, column, size, width)
