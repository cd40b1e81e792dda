"""Batch norm and activation of a few rows of channels: parts of kernels that have these rows in the cache anyway.

Rows are positions. `at` is the first element of the first row in flat float32 arrays; channels come in sixteens.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels.vectors import (
    LANES,
    ONE,
    ZERO,
    add_double,
    fill,
    fma,
    load,
    prefetch,
    sigmoid,
    store,
    where_less,
)
from deeptheory.system.compiled import inner

IDENTITY, RELU, SILU = 0, 1, 2


class Normed(NamedTuple):
    """Gradient through batch norm and activation: what turns that of their output into that of their input.

    With dz the gradient of z = slope*x + shift, which is that of the output times the activation's slope at z, the
    gradient of x is slope*dz + slope_x*x + constant.
    """

    x: NDArray[Any]  # flat
    slope: NDArray[Any]
    shift: NDArray[Any]
    slope_x: NDArray[Any]
    constant: NDArray[Any]
    kind: int


_NOTHING = np.empty(0, np.float32)
PLAIN = Normed(_NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING, -1)  # the gradient as it is


@inner
def activate(z, kind):
    """The activation at z."""
    if kind == RELU:
        return where_less(z, fill(ZERO), fill(ZERO), z)  # NaN stays NaN, so that it is noticed
    if kind == SILU:
        return z * sigmoid(z)
    return z


@inner
def through_activation(z, dy, kind):
    """dy times the derivative of the activation at z."""
    if kind == RELU:
        return where_less(fill(ZERO), z, dy, fill(ZERO))
    if kind == SILU:
        s = sigmoid(z)
        return dy * fma(z * s, fill(ONE) - s, s)
    return dy


@inner
def add_bias(x, at, count, bias):
    """Add the bias of every channel; here channels need not come in sixteens."""
    channels = bias.size
    whole = channels // LANES * LANES
    for row in range(at, at + count * channels, channels):
        for c in range(0, whole, LANES):
            store(x, row + c, load(x, row + c) + load(bias, c))
        for c in range(whole, channels):
            x[row + c] += bias[c]


@inner
def add_row_sums(x, at, count, channels, totals):
    """Add the sums of x to the float64 of `totals`."""
    for c in range(0, channels, LANES):
        sum_x, place = fill(ZERO), at + c
        for _ in range(count):
            sum_x = sum_x + load(x, place)
            place += channels
        add_double(totals, c, sum_x)


@inner
def add_sums(x, at, count, channels, totals):
    """Add the sums of x and of x*x to the 2*channels float64 of `totals`."""
    for c in range(0, channels, LANES):
        add_channel_sums(x, at + c, count, channels, c, totals)


@inner
def add_channel_sums(x, at, count, channels, c, totals):
    """The same for 16 channels from `c` on, which are at `at` in the first row."""
    sum_x, sum_xx = fill(ZERO), fill(ZERO)
    for _ in range(count):
        value = load(x, at)
        sum_x = sum_x + value
        sum_xx = fma(value, value, sum_xx)
        at += channels
    add_double(totals, c, sum_x)
    add_double(totals, channels + c, sum_xx)


@inner
def add_gradient_sums(x, dout, at, count, slope, shift, kind, totals):
    """Add the sums of dz and of dz*x to the 2*channels float64 of `totals`."""
    channels = slope.size
    ahead = count * channels
    for c in range(0, channels, LANES):
        factor, offset = load(slope, c), load(shift, c)
        sum_dz, sum_dzx = fill(ZERO), fill(ZERO)
        row_at = at + c
        for _ in range(count):
            prefetch(x, row_at + ahead)  # the next rows, which the arithmetic would wait for
            prefetch(dout, row_at + ahead)
            value = load(x, row_at)
            dz = through_activation(fma(value, factor, offset), load(dout, row_at), kind)
            sum_dz = sum_dz + dz
            sum_dzx = fma(dz, value, sum_dzx)
            row_at += channels
        add_double(totals, c, sum_dz)
        add_double(totals, channels + c, sum_dzx)


@inner
def write_gradient(dout, at, count, norm, dx, dx_at):
    """Write the gradient of the norm's input into `dx` from `dx_at` on, given that of the output, `dout`."""
    channels, shift_by = norm.slope.size, dx_at - at
    for row in range(at, at + count * channels, channels):
        for c in range(0, channels, LANES):
            store(dx, row + shift_by + c, input_gradient(dout, row + c, c, norm))


@inner
def input_gradient(dout, at, c, norm):
    """The same of 16 channels from `c` on, at `at`."""
    value, factor = load(norm.x, at), load(norm.slope, c)
    dz = through_activation(fma(value, factor, load(norm.shift, c)), load(dout, at), norm.kind)
    return fma(dz, factor, fma(value, load(norm.slope_x, c), load(norm.constant, c)))
