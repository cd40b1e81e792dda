"""Magnitude: keep the kernels of largest norm."""

import numpy as np

from deeptheory.prune.context import Context


def scores(context: Context) -> dict[str, np.ndarray]:
    """Euclidean norm of every kernel.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to (out, n_inputs) float64 array
        sqrt(sum of w^2 over the kernel's weights). Norms rank kernels of one layer; they do NOT compare
        between layers, whose inputs have different scales.
    """
    return {
        layer.weight: np.linalg.norm(
            context.weights[layer.weight].astype(np.float64).reshape(*layer.grid, layer.kernel_size), axis=2
        )
        for layer in context.layers
    }
