"""GraSP: keep the units without which the gradient flow of the network would fall."""

import math

import numpy as np
from numpy.typing import NDArray

from deeptheory.prune.criterion_context import Context, Scores
from deeptheory.prune.gradients import INPUTS, in_float64, mean_gradients

PER_LABEL = 10  # training inputs, as in the paper
STEP = (
    1e-10  # along the gradient, relative to the norm of the weights: so short that hardly any ReLU switches
)


def scores(context: Context) -> Scores:
    r"""Decrease of the gradient flow when a weight, kernel or filter is removed, to first order.

    .. math:: s_u = \sum_{w \in u} w\, (H g)_w, \qquad
              H g \approx \frac{g(\theta + \epsilon g) - g(\theta - \epsilon g)}{2 \epsilon}

    The gradient flow is g^T g over all masked weights theta, g the gradient of the mean cross-entropy of 10
    training inputs per label (1000 at most) and H its Hessian; setting the unit to zero changes the flow by
    -2 s_u. Units whose removal raises it most, with the smallest s_u, are removed first. H g needs no second
    derivative: it is a central difference of gradients in float64, with steps of 1e-10 times the norm of theta.

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

    Notes ----- Source: Wang, Zhang, Grosse, "Picking winning tickets before training by preserving gradient flow"
    (2020), there for single weights before training, with logits divided by a temperature of 200, which is left
    out here. Status: exact for the Hessian between the kinks of the ReLUs, as automatic differentiation gives it;
    larger steps, across which ReLUs switch, give other scores. A trained network has hardly any gradient flow to
    preserve: there the score means little, and nothing for the loss.
    """
    network, images, labels = context.running()
    number = min(INPUTS, PER_LABEL * network.n_labels)
    double, names = in_float64(network), [layer.weight for layer in context.layers]

    def gradients() -> dict[str, NDArray[np.float64]]:
        return mean_gradients(double, images[:number], labels[:number], names)

    weights, along = {name: double.parameters()[name] for name in names}, gradients()
    flow = _norm(along)
    if not flow:
        return {layer.weight: np.zeros(layer.units(context.granularity)) for layer in context.units}
    step = STEP * _norm(weights) / flow
    ends = []
    for sign in (1, -1):
        for name in names:
            double.parameters()[name] = weights[name] + sign * step * along[name]
        ends.append(gradients())
    return context.summed(
        {name: weights[name] * (ends[0][name] - ends[1][name]) / (2 * step) for name in names}
    )


def _norm(arrays: dict[str, NDArray[np.float64]]) -> float:
    return math.sqrt(sum(float(np.vdot(array, array)) for array in arrays.values()))
