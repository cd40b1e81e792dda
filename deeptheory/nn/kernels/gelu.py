"""The activation GELU on flat arrays, by the error function and by the hyperbolic tangent."""

import math

import numpy as np

from deeptheory.system.compiled import inner, njit, prange

ROOT_HALF = math.sqrt(0.5)
DENSITY = 1 / math.sqrt(2 * math.pi)  # of the normal distribution at 0
SLOPE, CUBIC = math.sqrt(2 / math.pi), 0.044715  # tanh(SLOPE*(x + CUBIC*x**3)) instead of erf(x/sqrt(2))


@njit(parallel=True)
def gelu_forward(x, out):
    """out = x*Phi(x) = x*(1 + erf(x/sqrt(2)))/2, Phi the distribution function of the normal distribution."""
    half, one, scale = x.dtype.type(0.5), x.dtype.type(1), x.dtype.type(ROOT_HALF)
    for i in prange(x.size):
        out[i] = half * x[i] * (one + math.erf(x[i] * scale))


@njit(parallel=True)
def gelu_backward(dout, x):
    """Multiply the gradient by the slope Phi(x) + x*exp(-x**2/2)/sqrt(2*pi), in place."""
    half, one = x.dtype.type(0.5), x.dtype.type(1)
    scale, density = x.dtype.type(ROOT_HALF), x.dtype.type(DENSITY)
    for i in prange(x.size):
        below = half * (one + math.erf(x[i] * scale))
        dout[i] *= below + x[i] * density * np.exp(-half * x[i] * x[i])


@inner
def _bend(x):
    """tanh(sqrt(2/pi)*(x + 0.044715*x**3))."""
    slope, cubic = np.float64(SLOPE), np.float64(CUBIC)
    return np.tanh(slope * x * (1.0 + cubic * x * x))


@njit(parallel=True)
def tanh_gelu_forward(x, out):
    """out = x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))/2."""
    for i in prange(x.size):
        value = np.float64(x[i])
        out[i] = 0.5 * value * (1.0 + _bend(value))


@njit(parallel=True)
def tanh_gelu_backward(dout, x):
    """Multiply the gradient by the slope, in place."""
    slope, cubic = np.float64(SLOPE), np.float64(CUBIC)
    for i in prange(x.size):
        value = np.float64(x[i])
        t = _bend(value)
        inside = slope * (1.0 + 3.0 * cubic * value * value)
        dout[i] *= 0.5 * (1.0 + t) + 0.5 * value * (1.0 - t * t) * inside
