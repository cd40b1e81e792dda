"""SNIP: keep the units on whose scale the loss depends most."""

import numpy as np

from deeptheory.prune.criterion_context import Context, Scores
from deeptheory.prune.gradients import INPUTS, mean_gradients


def scores(context: Context) -> Scores:
    r"""Connection sensitivity of every weight, kernel or filter.

    .. math:: s_u = \Big| \frac{\partial L}{\partial c_u} \Big|_{c = 1} = \Big| \sum_{w \in u} w\, g_w \Big|

    with c_u a common factor of the weights of unit u, and g the gradient of the mean cross-entropy of the first
    1000 training inputs.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to float64 array
        Scores rank across layers. The paper divides by their sum, which changes no rank.

    Raises
    ------
    InputError
        The context has no network or no inputs.

    Notes
    -----
    Source: Lee, Ajanthan, Torr, "SNIP: single-shot network pruning based on connection sensitivity" (2019), there
    for single weights, where it is abs(w g), and before training. For kernels and filters the common factor means
    that the sum comes before the absolute value. Status: exact derivative. It is NOT the change of the loss when
    the unit is removed: at a minimum of the loss all derivatives are near zero, and the rest is noise and the
    effect of L2.
    """
    network, images, labels = context.running()
    names = [layer.weight for layer in context.units]
    gradients = mean_gradients(network, images[:INPUTS], labels[:INPUTS], names)
    changes = context.summed({name: context.weights[name] * gradients[name] for name in names})
    return {name: np.abs(change) for name, change in changes.items()}
