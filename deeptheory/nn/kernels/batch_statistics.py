"""The arithmetic of batch norm on a few numbers of every channel, in double precision.

NumPy would compute the same bits, by some thirty calls that take longer than all that a small layer computes.
"""

import numpy as np

from deeptheory.system.compiled import njit


@njit()
def statistics(sums, squares, n, keep, update, running_mean, running_var):
    """Mean and variance from sums over n numbers; running = keep*running + update*new, the variance unbiased."""
    mean, variance, added = sums / n, np.empty_like(sums), np.empty_like(running_mean)
    factor = n / (n - 1)
    for c in range(len(sums)):
        spread = squares[c] / n - mean[c] * mean[c]
        variance[c] = 0.0 if spread < 0.0 else spread  # NaN stays NaN
        added[c] = update * mean[c]
        running_mean[c] = running_mean[c] * keep + added[c]
        added[c] = update * (variance[c] * factor)
        running_var[c] = running_var[c] * keep + added[c]
    return mean, variance


@njit()
def slope_and_shift(weight, bias, mean, variance, epsilon):
    """1/sqrt(variance + epsilon), slope = weight times that, and shift = bias - slope*mean."""
    inverse, slope, shift = np.empty_like(mean), np.empty_like(weight), np.empty_like(weight)
    for c in range(len(mean)):
        inverse[c] = 1.0 / np.sqrt(variance[c] + epsilon)
        factor = weight[c] * inverse[c]
        slope[c], shift[c] = factor, bias[c] - factor * mean[c]
    return inverse, slope, shift


@njit()
def input_gradient(weight, mean, inverse, weight_in_mean, dweight, sum_dout):
    """slope_x and shift of dx = slope*dout + slope_x*x + shift (`BatchNorm2d.set_gradients`)."""
    slope_x, shift = np.empty_like(weight), np.empty_like(weight)
    for c in range(len(mean)):
        slope = weight[c] * inverse[c] * weight_in_mean
        factor = -slope * inverse[c] * dweight[c]
        slope_x[c], shift[c] = factor, -slope * sum_dout[c] - factor * mean[c]
    return slope_x, shift
