"""Magnitude: keep what has the largest norm."""

import numpy as np

from deeptheory.prune.criterion_context import Context


def scores(context: Context) -> dict[str, np.ndarray]:
    """Euclidean norm of every weight, kernel or filter.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to float64 array
        sqrt(sum of w^2 over the unit's weights). Norms rank within one layer; compared between layers
        ("magnitude-global") they ignore that layers have different scales.
    """
    return {
        layer.weight: np.sqrt(
            layer.summed(context.weights[layer.weight].astype(np.float64) ** 2, context.granularity)
        )
        for layer in context.units
    }
