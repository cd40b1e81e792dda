"""SynFlow: keep what carries the flow of absolute weights, removing little at a time."""

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.prune.criterion_context import Context
from deeptheory.prune.gradients import in_float64
from deeptheory.prune.selection import best_of_all, masks_of_units

ROUNDS = 100


def scores(context: Context) -> dict[str, np.ndarray]:
    r"""Round in which a weight, kernel or filter goes, and within a round its synaptic flow.

    .. math:: R = 1^T f_{|\theta|}(1), \qquad s_u = \sum_{w \in u} |w| \frac{\partial R}{\partial |w|}

    R is the sum of the outputs of the network with absolute weights for an input of ones: no data. In round k of
    n = 100 the flow is computed anew and the largest are kept, to a share of ``density ** (k / n)`` of the masked
    weights.

    Parameters
    ----------
    context : Context
        With the density that is to be reached.

    Returns
    -------
    dict of str to float64 array
        k - 1 + s / (s + mean s) of the last round k in which the unit was there: what went earlier has a lower
        score, and the scores cut at `context.density` give the mask of the last round, but for ties where nothing
        flows. At another density they do not give SynFlow's mask.

    Raises
    ------
    InputError
        The context has no density, no network or no inputs.

    Notes
    -----
    Source: Tanaka, Kunin, Yamins, Ganguli, "Pruning neural networks without any data by iteratively conserving
    synaptic flow" (2020), there for single weights before training. Biases are taken as 0 and batch norms as
    their positive slope, abs(weight) / sqrt(running variance + 1e-5), without mean and shift, which is the paper's
    before training: then R is a sum over paths, and with ReLUs the scores of every layer add up to it (other
    activations run as they are). Status: exact for this network of absolute weights. It does NOT see what the
    filters respond to.
    """
    if context.density is None:
        raise InputError("criterion 'synflow'", "a density", "none", "set prune.density")
    network, *_ = context.running()
    flow_of, granularity = linearised(network), context.granularity
    weights = {layer.weight: flow_of.parameters()[layer.weight] for layer in context.layers}
    kept = {layer.weight: np.ones(layer.units(granularity), bool) for layer in context.units}
    found = {name: np.zeros(units.shape) for name, units in kept.items()}
    for done in range(ROUNDS):
        flows = synaptic_flow(flow_of, list(weights))
        of_units = {layer.weight: layer.summed(flows[layer.weight], granularity) for layer in context.units}
        mean = sum(flow.sum() for flow in of_units.values()) / sum(units.sum() for units in kept.values())
        for name, flow in of_units.items():
            share = np.divide(flow, flow + mean, out=np.zeros(flow.shape), where=flow > 0)
            found[name] = np.where(kept[name], done + share, found[name])
        density = context.density ** ((done + 1) / ROUNDS)
        kept = best_of_all(context.layers, found, density, "network", granularity, context.rng)
        for name, mask in masks_of_units(context.layers, kept, granularity).items():
            flow_of.parameters()[name] = weights[name] * mask
    return found


def linearised(network: nn.Network) -> nn.Network:
    """The network in float64 with absolute weights, and without what shifts its activations."""
    absolute = in_float64(network)
    for name, array in absolute.parameters().items():
        absolute.parameters()[name] = np.zeros_like(array) if name.endswith("bias") else np.abs(array)
    for name, array in absolute.buffers().items():
        if name.endswith("running_mean"):
            absolute.buffers()[name] = np.zeros_like(array)
    return absolute


def synaptic_flow(absolute: nn.Network, names: list[str]) -> dict[str, np.ndarray]:
    """Weight times gradient of the sum of all outputs for an input of ones, by name."""
    logits, _ = absolute.forward(np.ones((1, *absolute.input_shape)))
    absolute.backward(np.ones_like(logits))
    weights, gradients = absolute.parameters(), absolute.gradients()
    return {name: weights[name] * gradients[name] for name in names}
