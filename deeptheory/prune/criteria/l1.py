"""L1: keep the filters with the largest sum of absolute weights."""

import numpy as np

from deeptheory.prune.criterion_context import Context, Scores


def scores(context: Context) -> Scores:
    """Sum of the absolute weights of every filter or node.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to (out,) float64 array

    Notes
    -----
    Source: Li, Kadav, Durdanovic, Samet, Graf, "Pruning filters for efficient ConvNets" (2017). Sums rank within
    one layer. Where a batch norm follows, a filter's scale says nothing about the size of its output.
    """
    return {
        layer.weight: layer.summed(np.abs(context.weights[layer.weight]), "filter") for layer in context.units
    }
