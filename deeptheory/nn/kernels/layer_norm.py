"""Layer norm: every row normalised by its own mean and variance. Arrays are (rows, C); C numbers form a row."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deeptheory.nn.kernels.vectors import (
    LANES,
    ONE,
    ZERO,
    add_double,
    explicit,
    fill,
    fma,
    lane_sum,
    load,
    store,
)
from deeptheory.system.compiled import njit, prange, signed

PARTS = 16  # a fixed partition: the sums over rows do not depend on the number of threads
BLOCK = 64  # rows summed in float32 before they are added in float64

Array = NDArray[Any]


def in_vectors(dtype: DTypeLike, n_channels: int) -> bool:
    """Whether rows are computed by explicit vectors: float32, in sixteens."""
    return n_channels % LANES == 0 and explicit(dtype)


def forward(
    x: Array, weight: Array, bias: Array, epsilon: float, means: Array, inverse_deviations: Array, out: Array
) -> None:
    """out[r, c] = weight[c]*(x[r, c] - mean[r])/sqrt(variance[r] + epsilon) + bias[c].

    `means` and `inverse_deviations` (rows,) are written for `backward`.
    """
    if in_vectors(x.dtype, x.shape[1]):
        small = np.float32(epsilon)
        _vector_forward(x.reshape(-1), weight, bias, small, means, inverse_deviations, out.reshape(-1))
    else:
        _plain_forward(x, weight, bias, epsilon, means, inverse_deviations, out)


def backward(
    dout: Array, x: Array, weight: Array, means: Array, inverse_deviations: Array, parts: NDArray[np.float64]
) -> None:
    """Turn the gradient `dout` of the output into that of x; sum those of weight and bias into `parts`.

    With xhat the normalised x and g = weight*dout, dx = (g - <g> - xhat*<g*xhat>)/sqrt(variance + epsilon), means
    over the row. `parts` is float64 (PARTS, 2, C): sums of dout*xhat and of dout.
    """
    if in_vectors(x.dtype, x.shape[1]):
        flat = parts.reshape(PARTS, -1)
        _vector_backward(dout.reshape(-1), x.reshape(-1), weight, means, inverse_deviations, flat)
    else:
        _plain_backward(dout, x, weight, means, inverse_deviations, parts)


@njit(parallel=True, error_model="numpy")
def _vector_forward(x, weight, bias, epsilon, means, inverse_deviations, out):
    n_channels, rows = weight.size, means.size
    share, size = (rows + PARTS - 1) // PARTS, np.float32(n_channels)
    for index in prange(PARTS):
        part = signed(index)
        for r in range(part * share, min((part + 1) * share, rows)):
            at, whole, squares = r * n_channels, fill(ZERO), fill(ZERO)
            for c in range(0, n_channels, LANES):
                whole = whole + load(x, at + c)
            mean = lane_sum(whole) / size
            for c in range(0, n_channels, LANES):
                from_mean = load(x, at + c) - fill(mean)
                squares = fma(from_mean, from_mean, squares)
            scale = ONE / np.sqrt(lane_sum(squares) / size + epsilon)
            means[r], inverse_deviations[r] = mean, scale
            for c in range(0, n_channels, LANES):
                xhat = (load(x, at + c) - fill(mean)) * fill(scale)
                store(out, at + c, fma(load(weight, c), xhat, load(bias, c)))


@njit(parallel=True, error_model="numpy")
def _vector_backward(dout, x, weight, means, inverse_deviations, parts):
    n_channels, rows = weight.size, means.size
    share, size = (rows + PARTS - 1) // PARTS, np.float32(n_channels)
    for index in prange(PARTS):
        part = signed(index)
        parts[part] = 0.0
        sums = np.zeros(2 * n_channels, np.float32)
        first, last = part * share, min((part + 1) * share, rows)
        for r in range(first, last):
            mean, scale, at = fill(means[r]), fill(inverse_deviations[r]), r * n_channels
            whole, product = fill(ZERO), fill(ZERO)
            for c in range(0, n_channels, LANES):
                xhat, gradient = (load(x, at + c) - mean) * scale, load(dout, at + c)
                store(sums, c, fma(gradient, xhat, load(sums, c)))
                store(sums, n_channels + c, gradient + load(sums, n_channels + c))
                weighted = load(weight, c) * gradient
                whole = whole + weighted
                product = fma(weighted, xhat, product)
            constant, slope = fill(lane_sum(whole) / size), fill(lane_sum(product) / size)
            for c in range(0, n_channels, LANES):
                xhat = (load(x, at + c) - mean) * scale
                rest = load(weight, c) * load(dout, at + c) - constant - xhat * slope
                store(dout, at + c, scale * rest)
            if (r + 1 - first) % BLOCK == 0 or r + 1 == last:
                for c in range(0, 2 * n_channels, LANES):
                    add_double(parts[part], c, load(sums, c))
                    store(sums, c, fill(ZERO))


@njit(parallel=True)
def _plain_forward(x, weight, bias, epsilon, means, inverse_deviations, out):
    n_channels = x.shape[1]
    for r in prange(len(x)):
        row, total, squares = x[r], 0.0, 0.0
        for c in range(n_channels):
            total += row[c]
        mean = total / n_channels
        for c in range(n_channels):
            squares += (row[c] - mean) ** 2
        scale = 1.0 / np.sqrt(squares / n_channels + epsilon)
        means[r], inverse_deviations[r] = mean, scale
        for c in range(n_channels):
            out[r, c] = weight[c] * ((row[c] - mean) * scale) + bias[c]


@njit(parallel=True)
def _plain_backward(dout, x, weight, means, inverse_deviations, parts):
    rows, n_channels = x.shape
    share = (rows + PARTS - 1) // PARTS
    for part in prange(PARTS):
        dweight, dbias = parts[part, 0], parts[part, 1]
        dweight[:] = 0.0
        dbias[:] = 0.0
        for r in range(part * share, min((part + 1) * share, rows)):
            mean, scale, total, product = means[r], inverse_deviations[r], 0.0, 0.0
            for c in range(n_channels):
                xhat, gradient = (x[r, c] - mean) * scale, np.float64(dout[r, c])
                dweight[c] += gradient * xhat
                dbias[c] += gradient
                total += weight[c] * gradient
                product += weight[c] * gradient * xhat
            total /= n_channels
            product /= n_channels
            for c in range(n_channels):
                xhat = (x[r, c] - mean) * scale
                dout[r, c] = scale * (weight[c] * dout[r, c] - total - xhat * product)
