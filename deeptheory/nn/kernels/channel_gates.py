"""Means over positions and factors that hold for all positions of a channel; images are (N, P, C) here.

`squeeze_excitation` has vector kernels for the same.
"""

from deeptheory.system.compiled import njit, prange


@njit(parallel=True)
def position_means(x, out):
    """out[n, c] = mean over p of x[n, p, c]."""
    n_positions, n_channels = x.shape[1:]
    for n in prange(len(x)):
        total = out[n]
        total[:] = 0.0
        for p in range(n_positions):
            source = x[n, p]
            for c in range(n_channels):
                total[c] += source[c]
        for c in range(n_channels):
            total[c] /= n_positions


@njit(parallel=True)
def gate_forward(x, gate, out):
    """out[n, p, c] = gate[n, c]*x[n, p, c]."""
    n_positions, n_channels = x.shape[1:]
    for n in prange(len(x)):
        factor = gate[n]
        for p in range(n_positions):
            source, target = x[n, p], out[n, p]
            for c in range(n_channels):
                target[c] = factor[c] * source[c]


@njit(parallel=True)
def gate_gradient(dout, x, dgate):
    """dgate[n, c] = sum over p of dout[n, p, c]*x[n, p, c]."""
    n_positions, n_channels = x.shape[1:]
    for n in prange(len(x)):
        total = dgate[n]
        total[:] = 0.0
        for p in range(n_positions):
            source, gradient = x[n, p], dout[n, p]
            for c in range(n_channels):
                total[c] += gradient[c] * source[c]


@njit(parallel=True)
def gate_backward(dout, gate, shift):
    """dout[n, p, c] = gate[n, c]*dout[n, p, c] + shift[n, c], in place."""
    n_positions, n_channels = dout.shape[1:]
    for n in prange(len(dout)):
        factor, term = gate[n], shift[n]
        for p in range(n_positions):
            target = dout[n, p]
            for c in range(n_channels):
                target[c] = factor[c] * target[c] + term[c]
