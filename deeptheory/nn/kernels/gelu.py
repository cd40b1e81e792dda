"""The activation GELU on flat arrays, by the error function and by the hyperbolic tangent."""

import math

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels.vectors import LANES, ONE, ZERO, exp, explicit, fill, fma, load, store, where_less
from deeptheory.system.compiled import inner, njit, prange, signed

ROOT_HALF = math.sqrt(0.5)
DENSITY = 1 / math.sqrt(2 * math.pi)  # of the normal distribution at 0
SLOPE, CUBIC = math.sqrt(2 / math.pi), 0.044715  # tanh(SLOPE*(x + CUBIC*x**3)) instead of erf(x/sqrt(2))
PART = 1 << 12  # numbers that a thread takes at a time
HALF = np.float32(0.5)
# erf(z) = 1 - t p(t) exp(-z**2) with t = 1/(1 + 0.3275911 z), to 1.5e-7 (Abramowitz & Stegun, 7.1.26)
_T = np.float32(0.3275911 * ROOT_HALF)
_P1, _P2, _P3, _P4, _P5 = (
    np.float32(p) for p in (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
)


def gelu_forward(x: NDArray[np.floating], out: NDArray[np.floating]) -> None:
    """out = x*Phi(x) = x*(1 + erf(x/sqrt(2)))/2, Phi the distribution function of the normal distribution."""
    (_vector_forward if _in_vectors(x) else _plain_forward)(x, out)


def gelu_backward(dout: NDArray[np.floating], x: NDArray[np.floating]) -> None:
    """Multiply the gradient by the slope Phi(x) + x*exp(-x**2/2)/sqrt(2*pi), in place."""
    (_vector_backward if _in_vectors(x) else _plain_backward)(dout, x)


def _in_vectors(x: NDArray[np.floating]) -> bool:
    return explicit(x.dtype) and x.size % LANES == 0


@inner
def _distribution(x, power):
    """Phi(x) of 16 numbers, given power = exp(-x**2/2)."""
    t = fill(ONE) / fma(where_less(x, fill(ZERO), fill(ZERO) - x, x), fill(_T), fill(ONE))
    p = fma(fill(_P5), t, fill(_P4))
    p = fma(p, t, fill(_P3))
    p = fma(p, t, fill(_P2))
    p = fma(p, t, fill(_P1))
    beyond = fill(HALF) * p * t * power
    return where_less(x, fill(ZERO), beyond, fill(ONE) - beyond)


@njit(parallel=True)
def _vector_forward(x, out):
    for part in prange((x.size + PART - 1) // PART):
        first = signed(part) * PART
        for i in range(first, min(first + PART, x.size), LANES):
            z = load(x, i)
            store(out, i, z * _distribution(z, exp(z * z * fill(-HALF))))


@njit(parallel=True)
def _vector_backward(dout, x):
    density = np.float32(DENSITY)
    for part in prange((x.size + PART - 1) // PART):
        first = signed(part) * PART
        for i in range(first, min(first + PART, x.size), LANES):
            z = load(x, i)
            power = exp(z * z * fill(-HALF))
            store(dout, i, load(dout, i) * fma(z * power, fill(density), _distribution(z, power)))


@njit(parallel=True)
def _plain_forward(x, out):
    """out = x*Phi(x) = x*(1 + erf(x/sqrt(2)))/2, Phi the distribution function of the normal distribution."""
    half, one, scale = x.dtype.type(0.5), x.dtype.type(1), x.dtype.type(ROOT_HALF)
    for i in prange(x.size):
        out[i] = half * x[i] * (one + math.erf(x[i] * scale))


@njit(parallel=True)
def _plain_backward(dout, x):
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
