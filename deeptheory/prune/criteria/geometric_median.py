"""Geometric median: the filters nearest to all others of their layer can be replaced by these."""

import numpy as np
import scipy

from deeptheory.prune.criterion_context import Context


def scores(context: Context) -> dict[str, np.ndarray]:
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
    acceleration" (2019): filters near the geometric median of a layer go. Sums rank within one layer. They are
    taken once: of two equal filters both score the same, and both may go.
    """
    found = {}
    for layer in context.units:
        filters = context.weights[layer.weight].reshape(layer.shape[0], -1).astype(np.float64)
        found[layer.weight] = scipy.spatial.distance.cdist(filters, filters).sum(axis=1)
    return found
