"""Random AFCC: every filter is given labels at random, and the masked network is trained from the start."""

from collections.abc import Mapping

import numpy as np

from deeptheory import theory
from deeptheory.errors import InputError
from deeptheory.prune.criteria import afcc
from deeptheory.prune.criterion_context import Context
from deeptheory.prune.masked_layers import HEAD, MaskedLayer


def scores(context: Context) -> dict[str, np.ndarray]:
    """1 for kernels between filters that share one of their random labels, else 0; cut with random ties.

    Every filter has r labels, every label of a stage as often as any other (to one filter). r is the smallest for
    which the expected density of all masked layers (`theory.random_dilution`; r / K for the head) reaches that of
    the context, so that at this density what goes beyond AFCC's rule is drawn among kernels that keep it.

    Parameters
    ----------
    context : Context
        With the density that is to be reached, and the network for its number of labels.

    Returns
    -------
    dict of str to (out, n_inputs) float64 array
        Scores rank across layers: the head, of density r / K, gets less than convolutions, about r^2 / K.

    Raises
    ------
    InputError
        The context has no density, no network or no inputs.

    Notes
    -----
    Source: physics of AFCC masks in "Advanced deep architecture pruning using single filter performance"; the
    dealing of labels and the cut at a density are deeptheory's. Nothing here comes from the trained network: the
    arm asks what the form of AFCC alone is worth when the network is trained under its mask
    (`scaled_to_fan_in` gives the initial weights).
    """
    if context.density is None:
        raise InputError("criterion 'random-afcc'", "a density", "none", "set prune.density")
    n_labels = context.running()[0].n_labels
    per_filter = labels_per_filter(context.layers, n_labels, context.density)
    sizes = {layer.stage_in: layer.n_inputs for layer in context.layers}
    sizes |= {layer.stage_out: layer.shape[0] for layer in context.layers if layer.stage_out != HEAD}
    given = {stage: deal(size, per_filter, n_labels, context.rng) for stage, size in sizes.items()}
    return afcc.scores_of_strengths(context.layers, given)


def labels_per_filter(layers: tuple[MaskedLayer, ...], n_labels: int, density: float) -> int:
    """The smallest number of random labels per filter with this expected density of all layers, at least 1."""
    total = sum(layer.size for layer in layers)
    for r in range(1, n_labels):
        between = 1 - float(theory.random_dilution(n_labels, r, r))
        expected = sum(
            layer.size * (r / n_labels if layer.stage_out == HEAD else between) for layer in layers
        )
        if expected >= density * total:
            return r
    return n_labels


def deal(n_filters: int, per_filter: int, n_labels: int, rng: np.random.Generator) -> np.ndarray:
    """Labels of every filter, float64 (C, K) of ones and zeros; how often labels are used differs by 1 at most.

    One filter after the other takes those that were used least, of equal ones any; then filters are shuffled.
    """
    dealt, used = np.zeros((n_filters, n_labels)), np.zeros(n_labels)
    for row in dealt:
        row[np.lexsort((rng.random(n_labels), used))[:per_filter]] = 1
        used += row
    return dealt[rng.permutation(n_filters)]


def scaled_to_fan_in(
    parameters: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Fresh weights under a mask, scaled so that every filter's output varies as without the mask.

    Parameters
    ----------
    parameters : mapping of str to array
        Fresh parameters, by name; of weights drawn with a variance of 2 / fan_in.
    masks : mapping of str to bool array
        By weight name, of the weight's shape.

    Returns
    -------
    dict of str to array
        The masked weights, each filter times sqrt(fan_in / surviving fan_in); zeros where nothing survives. Their
        variance is 2 / surviving fan_in then.
    """
    scaled = {}
    for name, mask in masks.items():
        weight = parameters[name]
        surviving = mask.reshape(len(mask), -1).sum(axis=1)
        factors = np.sqrt(mask[0].size / np.maximum(surviving, 1))
        scaled[name] = (weight * mask * factors.reshape(-1, *[1] * (weight.ndim - 1))).astype(weight.dtype)
    return scaled
