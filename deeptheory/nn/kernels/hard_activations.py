"""The activations ReLU6 and HardSwish on flat arrays; NaN stays NaN, so that it is noticed."""

from deeptheory.system.compiled import njit, prange


@njit(parallel=True)
def relu6_forward(x):
    """Clip `x` to [0, 6]."""
    for i in prange(x.size):
        x[i] = 0.0 if x[i] < 0.0 else (6.0 if x[i] > 6.0 else x[i])


@njit(parallel=True)
def relu6_backward(dy, y):
    """Set the gradient `dy` to zero where the output `y` is 0 or 6, in place."""
    for i in prange(dy.size):
        dy[i] = 0.0 if y[i] == 0.0 or y[i] == 6.0 else dy[i]


@njit(parallel=True)
def hard_swish_forward(x, out):
    """out = x*min(max(x + 3, 0), 6)/6."""
    three, sixth = x.dtype.type(3), x.dtype.type(1 / 6)
    for i in prange(x.size):
        if x[i] <= -3.0:
            out[i] = 0.0
        elif x[i] < 3.0:
            out[i] = x[i] * (x[i] + three) * sixth
        else:
            out[i] = x[i]


@njit(parallel=True)
def hard_swish_backward(dout, x):
    """Multiply the gradient by the slope, x/3 + 1/2 between -3 and 3, in place."""
    third, half = x.dtype.type(1 / 3), x.dtype.type(0.5)
    for i in prange(x.size):
        if x[i] <= -3.0:
            dout[i] = 0.0
        elif x[i] < 3.0:
            dout[i] *= x[i] * third + half
