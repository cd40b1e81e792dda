"""Layer norm: every row normalised by its own mean and variance. Arrays are (rows, C); C numbers form a row."""

import numpy as np

from deeptheory.system.compiled import njit, prange

PARTS = 16  # a fixed partition: the sums over rows do not depend on the number of threads


@njit(parallel=True)
def layer_norm_forward(x, weight, bias, epsilon, means, inverse_deviations, out):
    """out[r, c] = weight[c]*(x[r, c] - mean[r])/sqrt(variance[r] + epsilon) + bias[c].

    `means` and `inverse_deviations` (rows,) are written for `layer_norm_backward`.
    """
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
def layer_norm_backward(dout, x, weight, means, inverse_deviations, parts):
    """Turn the gradient `dout` of the output into that of x; sum those of weight and bias into `parts`.

    With xhat the normalised x and g = weight*dout, dx = (g - <g> - xhat*<g*xhat>)/sqrt(variance + epsilon), means
    over the row. `parts` is float64 (PARTS, 2, C): sums of dout*xhat and of dout.
    """
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
