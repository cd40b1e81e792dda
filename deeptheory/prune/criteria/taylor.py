"""First-order Taylor: keep what changes the loss of single batches most when it goes."""

import numpy as np

from deeptheory.prune.criterion_context import Context
from deeptheory.prune.gradients import INPUTS, batch_gradients


def scores(context: Context) -> dict[str, np.ndarray]:
    r"""Squared first-order change of the loss when a weight, kernel or filter is set to zero.

    .. math:: s_u = \Big\langle \Big( \sum_{w \in u} w\, g_w \Big)^2 \Big\rangle_{\text{batches}}

    with g the gradient of the mean cross-entropy of one batch of 100 inputs, over the first 1000 training inputs.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to float64 array
        Scores rank across layers.

    Raises
    ------
    InputError
        The context has no network or no inputs.

    Notes
    -----
    Source: Molchanov, Mallya, Tyree, Frosio, Kautz, "Importance estimation for neural network pruning" (2019).
    The mean comes after the square: of the gradient of all inputs together (`snip`) little is left in a trained
    network. So the score depends on the size of the batch, which is that of the usual training. Status: first
    order of the change, which for a whole kernel or filter need not be small; it knows nothing of curvature.
    """
    network, images, labels = context.running()
    images, labels = images[:INPUTS], labels[:INPUTS]
    names = [layer.weight for layer in context.units]
    found = {layer.weight: np.zeros(layer.units(context.granularity)) for layer in context.units}
    for n, gradients in batch_gradients(network, images, labels, names):
        for layer in context.units:
            change = layer.summed(
                context.weights[layer.weight] * gradients[layer.weight], context.granularity
            )
            found[layer.weight] += change**2 * (n / len(images))
    return found
