"""Random AFCC: every filter is given labels at random, and the masked network is trained from the start."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deeptheory import theory
from deeptheory.nn.layers.base import Array
from deeptheory.prune.criteria import afcc
from deeptheory.prune.criterion_context import Context, Scores, required
from deeptheory.prune.masked_layers import HEAD, MaskedLayer


def scores(context: Context) -> Scores:
    """1 for kernels between filters that share one of their random labels, else 0; ties are broken at random.

    Every filter has r labels; within a stage the labels are used equally often, to one filter. r is the smallest
    number for which the expected density of all masked layers (`theory.random_dilution`; r / K for the head)
    reaches that of the context, so that kernels removed beyond AFCC's rule are drawn among those with score 1.

    Parameters
    ----------
    context : Context
        With the density that will be reached, and the network for its number of labels.

    Returns
    -------
    dict of str to (out, n_inputs) float64 array
        Scores rank across layers. The densities differ: r / K in the head, about r^2 / K in convolutions.

    Raises
    ------
    InputError
        The context has no density, no network or no inputs.

    Notes ----- Source: AFCC masks of "Advanced deep architecture pruning using single filter performance"; the
    distribution of labels and the cut at a density are deeptheory's. Nothing here depends on the trained network:
    the arm tests the value of the form of an AFCC mask alone, with a network that is trained under it
    (`scaled_to_fan_in` gives the initial weights).
    """
    density = required(context.density, "random-afcc", "a density", "set prune.density")
    n_labels = context.running()[0].n_labels
    per_filter = labels_per_filter(context.layers, n_labels, density)
    sizes = {layer.stage_in: layer.n_inputs for layer in context.layers}
    sizes |= {layer.stage_out: layer.shape[0] for layer in context.layers if layer.stage_out != HEAD}
    labels = {stage: deal(size, per_filter, n_labels, context.rng) for stage, size in sizes.items()}
    return afcc.scores_of_strengths(context.layers, labels)


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


def deal(n_filters: int, per_filter: int, n_labels: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Labels of every filter, float64 (C, K) of ones and zeros; how often labels are used differs by 1 at most.

    One filter after the other takes the labels used least so far, ties at random; then the filters are shuffled.
    """
    dealt, used = np.zeros((n_filters, n_labels)), np.zeros(n_labels)
    for row in dealt:
        row[np.lexsort((rng.random(n_labels), used))[:per_filter]] = 1
        used += row
    return dealt[rng.permutation(n_filters)]


def scaled_to_fan_in(
    parameters: Mapping[str, Array], masks: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Array]:
    """Initial weights under a mask, scaled so that the variance of every filter's output is that without the mask.

    Parameters
    ----------
    parameters : mapping of str to array
        Initial parameters, by name; of weights drawn with a variance of 2 / fan_in.
    masks : mapping of str to bool array
        By weight name, of the weight's shape.

    Returns
    -------
    dict of str to array
        The masked weights, each filter times sqrt(fan_in / surviving fan_in), so that their variance is
        2 / surviving fan_in; zeros where nothing survives.
    """
    scaled = {}
    for name, mask in masks.items():
        weight = parameters[name]
        surviving = mask.reshape(len(mask), -1).sum(axis=1)
        factors = np.sqrt(mask[0].size / np.maximum(surviving, 1))
        scaled[name] = (weight * mask * factors.reshape(-1, *[1] * (weight.ndim - 1))).astype(weight.dtype)
    return scaled
