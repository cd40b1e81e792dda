"""The activation SiLU on flat arrays."""

import numpy as np

from deeptheory.system.compiled import njit, prange


@njit(parallel=True)
def silu_forward(x, out):
    """out = x*sigmoid(x) = x/(1 + exp(-x))."""
    one = x.dtype.type(1)  # a whole number would turn float32 into float64
    for i in prange(x.size):
        out[i] = x[i] / (one + np.exp(-x[i]))


@njit(parallel=True)
def silu_backward(dout, x):
    """Multiply the gradient by the slope s*(1 + x*(1 - s)), s = sigmoid(x), in place."""
    one = x.dtype.type(1)
    for i in prange(x.size):
        s = one / (one + np.exp(-x[i]))
        dout[i] *= s * (one + x[i] * (one - s))
