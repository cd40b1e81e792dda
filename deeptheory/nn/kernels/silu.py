"""The activation SiLU on flat arrays."""

import numpy as np

from deeptheory.compiled import njit, prange


@njit(parallel=True)
def silu_forward(x, out):
    """out = x*sigmoid(x) = x/(1 + exp(-x))."""
    for i in prange(x.size):
        out[i] = x[i] / (1 + np.exp(-x[i]))


@njit(parallel=True)
def silu_backward(dout, x):
    """Multiply the gradient by the slope s*(1 + x*(1 - s)), s = sigmoid(x), in place."""
    for i in prange(x.size):
        s = 1 / (1 + np.exp(-x[i]))
        dout[i] *= s * (1 + x[i] * (1 - s))
