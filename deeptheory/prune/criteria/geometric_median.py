"""Geometric median: the filters nearest to all others of their layer can be replaced by these."""

import scipy

from deeptheory.prune.criterion_context import Context, Scores


def scores(context: Context) -> Scores:
    r"""Sum of the Euclidean distances of every filter or node to the others of its layer.

    .. math:: s_b = \sum_{b'} |w_b - w_{b'}|

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to (out,) float64 array

    Notes
    -----
    Source: He, Liu, Wang, Hu, Yang, "Filter pruning via geometric median for deep convolutional neural networks
    acceleration" (2019): filters near the geometric median of a layer are removed. Sums rank within one layer.
    They are computed once: two equal filters have the same score, and both may be removed.
    """
    filters = {layer.weight: context.filters(layer) for layer in context.units}
    return {name: scipy.spatial.distance.cdist(rows, rows).sum(axis=1) for name, rows in filters.items()}
