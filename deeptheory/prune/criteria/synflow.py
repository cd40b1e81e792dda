"""SynFlow: keep the units with the largest flow of absolute weights, in many small rounds of removal."""

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.prune.criterion_context import Context, Scores, required
from deeptheory.prune.gradients import in_float64
from deeptheory.prune.selection import Ranking, masks_of_units, nearest_density

ROUNDS = 100


def scores(context: Context) -> Scores:
    r"""Round in which a weight, kernel or filter is removed, and within a round its synaptic flow.

    .. math:: R = 1^T f_{|\theta|}(1), \qquad s_u = \sum_{w \in u} |w| \frac{\partial R}{\partial |w|}

    R is the sum of the outputs of the network with absolute weights for an input of ones: no data enter. In round
    k of n = 100 the flow is computed again and the units with the largest are kept, down to a share of ``density
    ** (k / n)`` of the masked weights.

    Parameters
    ----------
    context : Context
        With the density that will be reached.

    Returns
    -------
    dict of str to float64 array
        k - 1 + s / (s + mean s) of the last round k in which the unit was present, so that earlier removal means a
        lower score. The scores cut at `context.density` give the mask of the last round, except for ties where
        nothing flows. At another density they do not give SynFlow's mask.

    Raises
    ------
    InputError
        The context has no density, no network or no inputs.

    Notes
    -----
    Source: Tanaka, Kunin, Yamins, Ganguli, "Pruning neural networks without any data by iteratively conserving
    synaptic flow" (2020), there for single weights before training. Biases are taken as 0 and batch norms as
    their positive slope, abs(weight) / sqrt(running variance + 1e-5), without mean and shift, as in the paper
    before training: then R is a sum over paths, and with ReLUs the scores of every layer add up to R (other
    activations are not changed). Status: exact for this network of absolute weights. It does NOT know to what the
    filters respond.
    """
    final = required(context.density, "synflow", "a density", "set prune.density")
    network, *_ = context.running()
    absolute, granularity = linearised(network), context.granularity
    weights = {layer.weight: absolute.parameters()[layer.weight] for layer in context.layers}
    kept = {layer.weight: np.ones(layer.units(granularity), bool) for layer in context.units}
    scores = {name: np.zeros(units.shape) for name, units in kept.items()}
    for done in range(ROUNDS):
        flows = context.summed(synaptic_flow(absolute, list(weights)))
        mean = sum(flow.sum() for flow in flows.values()) / sum(units.sum() for units in kept.values())
        for name, flow in flows.items():
            share = np.divide(flow, flow + mean, out=np.zeros(flow.shape), where=flow > 0)
            scores[name] = np.where(kept[name], done + share, scores[name])
        ranking = Ranking(context.layers, scores, "network", granularity)
        kept = nearest_density(ranking, final ** ((done + 1) / ROUNDS), context.rng)
        for name, mask in masks_of_units(context.layers, kept, granularity).items():
            absolute.parameters()[name] = weights[name] * mask
    return scores


def linearised(network: nn.Network) -> nn.Network:
    """The network in float64 with absolute weights, without biases and running means."""
    absolute = in_float64(network)
    for name, array in absolute.parameters().items():
        absolute.parameters()[name] = np.zeros_like(array) if name.endswith("bias") else np.abs(array)
    for name, array in absolute.buffers().items():
        if name.endswith("running_mean"):
            absolute.buffers()[name] = np.zeros_like(array)
    return absolute


def synaptic_flow(absolute: nn.Network, names: list[str]) -> dict[str, NDArray[np.float64]]:
    """Weight times gradient of the sum of all outputs for an input of ones, by name."""
    logits, _ = absolute.forward(np.ones((1, *absolute.input_shape)))
    absolute.backward(np.ones_like(logits))
    weights, gradients = absolute.parameters(), absolute.gradients()
    return {name: weights[name] * gradients[name] for name in names}
