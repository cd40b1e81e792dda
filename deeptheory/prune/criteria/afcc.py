"""AFCC: keep the connections between filters that serve a common label."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deeptheory.prune.criterion_context import Context, Scores
from deeptheory.prune.masked_layers import HEAD, MaskedLayer


def kernel_scores(strength_in: NDArray[np.float64], strength_out: NDArray[np.float64]) -> NDArray[np.float64]:
    """AFCC score of every kernel between two stages.

    Parameters
    ----------
    strength_in : (C_a, K) float array
        `label_strengths` of the stage before.
    strength_out : (C_b, K) float array
        `label_strengths` of the stage after.

    Returns
    -------
    (C_b, C_a) float64 array
        max_i min(r_a[i], r_b[i]): kernel (b, a) has a score above theta if and only if filters a and b share
        a label served at theta.

    Notes
    -----
    The rule is that of "Advanced deep architecture pruning using single filter performance"; writing it as
    the largest threshold at which a kernel is kept is deeptheory's. The score does NOT measure the contribution
    of the kernel: a kernel of zero weights between two filters of one label has a high score.
    """
    best = np.full((len(strength_out), len(strength_in)), -np.inf)
    # label by label: memory of one (C_b, C_a) array instead of K of them
    for label_in, label_out in zip(strength_in.T, strength_out.T, strict=True):
        np.maximum(best, np.minimum(label_out[:, None], label_in[None, :]), out=best)
    return best


def head_scores(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """AFCC score of every head connection: the strength of filter f for label j.

    Parameters
    ----------
    strength : (C, K) float array
        `label_strengths` of the last stage.

    Returns
    -------
    (K, C) float64 array
        r_f[j]: above theta if and only if label j is served by filter f.
    """
    return np.ascontiguousarray(strength.T, dtype=np.float64)


def scores_of_strengths(
    layers: tuple[MaskedLayer, ...], strengths: Mapping[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """AFCC scores of the given layers from the strengths of their stages."""
    return {
        layer.weight: head_scores(strengths[layer.stage_in])
        if layer.stage_out == HEAD
        else kernel_scores(strengths[layer.stage_in], strengths[layer.stage_out])
        for layer in layers
    }


def scores(context: Context) -> Scores:
    """AFCC scores of every masked layer.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to float64 array
        Of kernels (out, n_inputs) as in `kernel_scores`; of filters (out,) their largest label strength, so that
        a filter is kept at a threshold if and only if it serves a label.
    """
    if context.granularity == "filter":
        return {layer.weight: context.strength(layer.stage_out).max(axis=1) for layer in context.units}
    stages = {stage for layer in context.layers for stage in (layer.stage_in, layer.stage_out)} - {HEAD}
    return scores_of_strengths(context.layers, {stage: context.strength(stage) for stage in stages})
