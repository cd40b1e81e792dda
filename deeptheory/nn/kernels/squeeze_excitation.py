"""Squeeze-and-excitation of one image after the other by vectors: its passes find the image in the cache.

Activations are flat, (N, P, C) in order; what there is per image is flat too, (N, C) or (N, R) with R hidden
nodes. `expand` is the transposed weight of the expansion, (R, C). `channel_gates` has the plain passes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels.vectors import (
    LANES,
    ONE,
    ZERO,
    explicit,
    fill,
    fma,
    load,
    prefetch,
    sigmoid,
    store,
)
from deeptheory.system.compiled import njit, prange


def applies(x: NDArray[Any]) -> bool:
    """Whether activations (N, H, W, C) can be treated here: float32, channels in sixteens."""
    return x.shape[-1] % LANES == 0 and explicit(x.dtype)


@njit()
def _sums(x, at, y, n_positions, channels):
    """Sum of x, or of x*y if there is a `y`, over the positions of 16 channels; the next 16 are asked for."""
    total = fill(ZERO)
    for _ in range(n_positions):
        prefetch(x, at + LANES)
        if y.size:
            prefetch(y, at + LANES)
            total = fma(load(x, at), load(y, at), total)
        else:
            total = total + load(x, at)
        at += channels
    return total


@njit()
def _dot(a, a_at, b, b_at, n, lanes):
    """Scalar product of n elements, by the 16 `lanes`."""
    total = fill(ZERO)
    for c in range(0, n, LANES):
        total = fma(load(a, a_at + c), load(b, b_at + c), total)
    store(lanes, 0, total)
    result = lanes[0]
    for lane in range(1, LANES):
        result += lanes[lane]
    return result


@njit()
def _combine(factors, factors_at, rows, n_rows, channels, c, total):
    """total + sum_r factors[r] rows[r] of the 16 channels from `c` on."""
    for r in range(n_rows):
        total = fma(fill(factors[factors_at + r]), load(rows, r * channels + c), total)
    return total


@njit(parallel=True)
def forward(x, n_positions, reduce, reduce_bias, expand, expand_bias, means, reduced, hidden, gate, out):
    """out = gate*x, gate = sigmoid(expand^T hidden + bias), hidden = silu(reduced).

    Here reduced = reduce means + bias, and means are those of x over positions.

    All but `x` and the weights are written.
    """
    channels, n_hidden = expand_bias.size, reduce_bias.size
    part = np.float32(1) / np.float32(n_positions)
    for image in prange(gate.size // channels):
        start, row, node = image * n_positions * channels, image * channels, image * n_hidden
        lanes = np.empty(LANES, np.float32)
        for c in range(0, channels, LANES):
            total = _sums(x, start + c, x[:0], n_positions, channels)
            store(means, row + c, total * fill(part))
        for r in range(n_hidden):
            value = reduce_bias[r] + _dot(reduce, r * channels, means, row, channels, lanes)
            reduced[node + r] = value
            hidden[node + r] = value / (ONE + np.exp(-value))
        for c in range(0, channels, LANES):
            z = _combine(hidden, node, expand, n_hidden, channels, c, load(expand_bias, c))
            store(gate, row + c, sigmoid(z))
        for at in range(start, start + n_positions * channels, channels):
            for c in range(0, channels, LANES):
                store(out, at + c, load(x, at + c) * load(gate, row + c))


@njit(parallel=True)
def backward(x, dout, n_positions, channels, reduce, expand, reduced, gate, dgate, dhidden):
    """Turn the gradient `dout` of the output into that of x, and write those before the two activations.

    dgate = sum_p dout x gate (1 - gate), dhidden = (expand dgate) times the slope of the SiLU at `reduced`.
    """
    n_images = x.size // (n_positions * channels)
    n_hidden = reduced.size // n_images
    part = np.float32(1) / np.float32(n_positions)
    for image in prange(n_images):
        start, row, node = image * n_positions * channels, image * channels, image * n_hidden
        lanes, dmeans = np.empty(LANES, np.float32), np.empty(channels, np.float32)
        for c in range(0, channels, LANES):
            g = load(gate, row + c)
            total = _sums(x, start + c, dout, n_positions, channels)
            store(dgate, row + c, total * g * (fill(ONE) - g))
        for r in range(n_hidden):
            z = reduced[node + r]
            s = ONE / (ONE + np.exp(-z))
            dot = _dot(expand, r * channels, dgate, row, channels, lanes)
            dhidden[node + r] = dot * s * (ONE + z * (ONE - s))
        for c in range(0, channels, LANES):
            total = _combine(dhidden, node, reduce, n_hidden, channels, c, fill(ZERO))
            store(dmeans, c, total * fill(part))
        for at in range(start, start + n_positions * channels, channels):
            for c in range(0, channels, LANES):
                store(dout, at + c, fma(load(dout, at + c), load(gate, row + c), load(dmeans, c)))
