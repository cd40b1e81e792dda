"""LAMP: magnitude relative to the rest of the layer when all smaller units are removed."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.prune.criteria import magnitude
from deeptheory.prune.criterion_context import Context, Scores


def scores(context: Context) -> Scores:
    r"""Layer-adaptive magnitude-based scores.

    .. math:: s_u = \frac{|w_u|^2}{\sum_{v: |w_v| \ge |w_u|} |w_v|^2}

    with the sum over units of the same layer; of units with equal norm the later one counts as larger.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to float64 array
        The largest of a layer has score 1. Scores rank across layers.

    Notes
    -----
    Source: Lee, Park, Mo, Ahn, Shin, "Layer-adaptive sparsity for the magnitude-based pruning" (2021), there for
    single weights; for kernels and filters with their Euclidean norms. The score bounds how much removing a unit
    distorts the layer's output for inputs of unit norm; it knows nothing of the inputs.
    """
    return {name: relative_to_rest(norms**2) for name, norms in magnitude.scores(context).items()}


def relative_to_rest(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each number over the sum of itself and all larger ones; 0 where that sum is 0."""
    flat = squares.ravel()
    order = np.argsort(flat, kind="stable")
    rest = np.cumsum(flat[order][::-1])[::-1]
    relative = np.empty(flat.size)
    relative[order] = np.divide(flat[order], rest, out=np.zeros(flat.size), where=rest > 0)
    return relative.reshape(squares.shape)
