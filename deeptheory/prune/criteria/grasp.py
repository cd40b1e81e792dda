"""GraSP: keep what the gradient flow of the network needs."""

import math

import numpy as np

from deeptheory.prune.criterion_context import Context
from deeptheory.prune.gradients import INPUTS, in_float64, mean_gradients

PER_LABEL = 10  # training inputs, as in the paper
STEP = 1e-10  # along the gradient, relative to the length of the weights: few enough ReLUs switch on the way


def scores(context: Context) -> dict[str, np.ndarray]:
    r"""Fall of the gradient flow when a weight, kernel or filter goes, to first order.

    .. math:: s_u = \sum_{w \in u} w\, (H g)_w, \qquad
              H g \approx \frac{g(\theta + \epsilon g) - g(\theta - \epsilon g)}{2 \epsilon}

    The gradient flow is g^T g over all masked weights theta, g the gradient of the mean cross-entropy of 10
    training inputs per label (1000 at most) and H its Hessian; setting the unit to zero changes the flow by
    -2 s_u. What would raise it, the largest -s_u, goes first. H g needs no second derivative: it is a central
    difference of gradients in float64, with steps of 1e-10 times the length of theta.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to float64 array
        Scores rank across layers; many are negative.

    Raises
    ------
    InputError
        The context has no network or no inputs.

    Notes
    -----
    Source: Wang, Zhang, Grosse, "Picking winning tickets before training by preserving gradient flow" (2020),
    there for single weights before training, with logits divided by a temperature of 200, which is left out here.
    Status: exact for the Hessian between the kinks of the ReLUs, which is what automatic differentiation gives;
    that ReLUs switch is left out, and larger steps, across which some do, give other scores. A trained network has
    hardly any gradient flow to preserve: for it the score says little, and nothing about the loss.
    """
    network, images, labels = context.running()
    number = min(INPUTS, PER_LABEL * network.n_labels)
    twin, names = in_float64(network), [layer.weight for layer in context.layers]

    def gradients() -> dict[str, np.ndarray]:
        return mean_gradients(twin, images[:number], labels[:number], names)

    weights, along = {name: twin.parameters()[name] for name in names}, gradients()
    flow = _length(along)
    if not flow:
        return {layer.weight: np.zeros(layer.units(context.granularity)) for layer in context.units}
    step = STEP * _length(weights) / flow
    ends = []
    for sign in (1, -1):
        for name in names:
            twin.parameters()[name] = weights[name] + sign * step * along[name]
        ends.append(gradients())
    return {
        layer.weight: layer.summed(
            weights[layer.weight] * (ends[0][layer.weight] - ends[1][layer.weight]) / (2 * step),
            context.granularity,
        )
        for layer in context.units
    }


def _length(arrays: dict[str, np.ndarray]) -> float:
    return math.sqrt(sum(float(np.vdot(array, array)) for array in arrays.values()))
