"""Label-permuted AFCC: label sets of the same sizes, with the labels of each filter permuted at random."""

from deeptheory.prune.criteria import afcc
from deeptheory.prune.criterion_context import Context, Scores
from deeptheory.prune.masked_layers import HEAD


def scores(context: Context) -> Scores:
    """AFCC scores after an independent random permutation of every filter's labels.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to (out, n_inputs) float64 array

    Notes
    -----
    A filter has ONE permutation, for the layer before and the layer after it, so that only the agreement of labels
    between stages is destroyed. Cut at the threshold, the expected dilution is that of `theory.random_dilution`.
    The control does depend on the network: the number of labels that a filter serves is the measured one.
    """
    stages = sorted({stage for layer in context.layers for stage in (layer.stage_in, layer.stage_out)})
    permuted = {
        stage: context.rng.permuted(context.strength(stage), axis=1) for stage in stages if stage != HEAD
    }
    return afcc.scores_of_strengths(context.layers, permuted)
