"""First-order Taylor: keep the units whose removal changes the loss of single batches most."""

import numpy as np

from deeptheory.prune.criterion_context import Context, Scores
from deeptheory.prune.gradients import INPUTS, batch_gradients


def scores(context: Context) -> Scores:
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
    The mean is taken after the square, since the mean gradient over all inputs (`snip`) nearly vanishes in a
    trained network. So the score depends on the size of the batch, which is that of the usual training. Status:
    first order in the change, which for a whole kernel or filter need not be small; curvature is neglected.
    """
    network, images, labels = context.running()
    images, labels = images[:INPUTS], labels[:INPUTS]
    names = [layer.weight for layer in context.units]
    means = {layer.weight: np.zeros(layer.units(context.granularity)) for layer in context.units}
    for n, gradients in batch_gradients(network, images, labels, names):
        changes = context.summed({name: context.weights[name] * gradients[name] for name in names})
        for name, change in changes.items():
            means[name] += change**2 * (n / len(images))
    return means
