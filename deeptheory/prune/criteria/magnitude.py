"""Magnitude: keep the units with the largest norm."""

import numpy as np

from deeptheory.prune.criterion_context import Context, Scores


def scores(context: Context) -> Scores:
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
    squares = {layer.weight: context.weights[layer.weight].astype(np.float64) ** 2 for layer in context.units}
    return {name: np.sqrt(total) for name, total in context.summed(squares).items()}
