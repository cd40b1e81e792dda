"""Label-permuted AFCC: the same label-set sizes, the labels of each filter replaced at random."""

import numpy as np

from deeptheory.prune.criteria import afcc
from deeptheory.prune.criterion_context import Context
from deeptheory.prune.masked_layers import HEAD


def scores(context: Context) -> dict[str, np.ndarray]:
    """AFCC scores after an independent random permutation of every filter's labels.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to (out, n_inputs) float64 array

    Notes
    -----
    A filter has ONE permutation, seen by the layer before and the layer after it, so a stage stays consistent
    and only the agreement of labels between stages is destroyed. Cut at the threshold, the expected dilution
    is that of `theory.random_dilution`. The control is not blind to the network: how many labels a filter
    serves is still the measured number.
    """
    stages = sorted({stage for layer in context.layers for stage in (layer.stage_in, layer.stage_out)})
    permuted = {
        stage: context.rng.permuted(context.strength(stage), axis=1) for stage in stages if stage != HEAD
    }
    return afcc.scores_of_strengths(context.layers, permuted)
