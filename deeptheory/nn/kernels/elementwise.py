"""Kernels that treat every element by itself."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.system.compiled import njit, prange


@njit(parallel=True)
def affine(x, slope, shift, out):
    """out[r, c] = slope[c]*x[r, c] + shift[c]; all (rows, C) or (C,)."""
    for r in prange(x.shape[0]):
        for c in range(x.shape[1]):
            out[r, c] = slope[c] * x[r, c] + shift[c]


@njit(parallel=True)
def affine_pair(x, slope_x, y, slope_y, shift):
    """x[r, c] = slope_x[c]*x[r, c] + slope_y[c]*y[r, c] + shift[c], in place."""
    for r in prange(x.shape[0]):
        for c in range(x.shape[1]):
            x[r, c] = slope_x[c] * x[r, c] + slope_y[c] * y[r, c] + shift[c]


@njit(parallel=True)
def relu_forward(x):
    """Set the negative elements of the flat array `x` to zero; NaN stays NaN, so that it is noticed."""
    for i in prange(x.size):
        x[i] = 0.0 if x[i] < 0.0 else x[i]


@njit(parallel=True)
def relu_backward(dy, y):
    """Set the gradient `dy` to zero where the output `y` is zero; both flat, in place."""
    for i in prange(dy.size):
        dy[i] = 0.0 if y[i] == 0.0 else dy[i]


@njit(parallel=True)
def subsample(x, stride, out):
    """out[n, i, j] = x[n, stride*i, stride*j] for every channel of x, zero for those that it lacks."""
    height = out.shape[1]
    for row in prange(out.shape[0] * height):
        n, i = row // height, row % height
        for j in range(out.shape[2]):
            for c in range(x.shape[3]):
                out[n, i, j, c] = x[n, stride * i, stride * j, c]
            for c in range(x.shape[3], out.shape[3]):
                out[n, i, j, c] = 0.0


@njit(parallel=True)
def subsample_backward(dout, stride, dx):
    """The gradient of x in `subsample`."""
    height = dx.shape[1]
    for row in prange(dx.shape[0] * height):
        n, i = row // height, row % height
        for j in range(dx.shape[2]):
            if i % stride == 0 and j % stride == 0:
                for c in range(dx.shape[3]):
                    dx[n, i, j, c] = dout[n, i // stride, j // stride, c]
            else:
                for c in range(dx.shape[3]):
                    dx[n, i, j, c] = 0.0


SHARE = 1 << 14  # parameters that are worth a thread


def add(x: NDArray[Any], y: NDArray[Any]) -> None:
    """x += y for arrays of one shape, shared among the threads where they are large."""
    if _is_shared(x, y):
        _add(x.reshape(-1), y.reshape(-1))
    else:
        np.add(x, y, out=x)


def copy(x: NDArray[Any], y: NDArray[Any]) -> None:
    """x = y for arrays of one shape, shared among the threads where they are large."""
    if _is_shared(x, y):
        _copy(x.reshape(-1), y.reshape(-1))
    else:
        np.copyto(x, y)


def _is_shared(x: NDArray[Any], y: NDArray[Any]) -> bool:
    return x.size > 2 * SHARE and x.flags.c_contiguous and y.flags.c_contiguous


@njit(parallel=True)
def _add(x, y):
    for i in prange(x.size):
        x[i] += y[i]


@njit(parallel=True)
def _copy(x, y):
    for i in prange(x.size):
        x[i] = y[i]


@njit(parallel=True)
def nesterov_by_threads(weight, gradient, velocity, rate, momentum, l2):
    """`nesterov`, shared among the threads."""
    n = (weight.size + SHARE - 1) // SHARE
    for part in prange(n):
        share = slice(part * SHARE, min((part + 1) * SHARE, weight.size))
        nesterov(weight[share], gradient[share], velocity[share], rate, momentum, l2)


@njit()
def nesterov(weight, gradient, velocity, rate, momentum, l2):
    """One step of gradient descent with Nesterov momentum on flat arrays, in place.

    g = gradient + l2*weight;  velocity = momentum*velocity + g;  weight -= rate*(g + momentum*velocity).
    (Sutskever et al., "On the importance of initialization and momentum in deep learning".)
    """
    for i in range(weight.size):
        g = gradient[i] + l2 * weight[i]
        velocity[i] = momentum * velocity[i] + g
        weight[i] -= rate * (g + momentum * velocity[i])
