"""Optimal brain damage: keep what the loss is curved along."""

import numpy as np

from deeptheory.prune.criterion_context import Context
from deeptheory.prune.gauss_newton import gauss_newton_diagonal
from deeptheory.prune.gradients import INPUTS


def scores(context: Context) -> dict[str, np.ndarray]:
    r"""Second-order rise of the loss when a weight, kernel or filter is set to zero.

    .. math:: s_u = \frac{1}{2} \sum_{w \in u} h_w w^2

    with h the diagonal of the Gauss-Newton matrix of the cross-entropy over the first 1000 training inputs
    (`gauss_newton_diagonal`).

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to float64 array
        In nats; scores rank across layers.

    Raises
    ------
    InputError
        The context has no network or no inputs.

    Notes
    -----
    Source: LeCun, Denker, Solla, "Optimal brain damage" (1990), there for single weights and with the diagonal of
    the Hessian, of which this is the part that is never negative. The empirical Fisher diagonal, squared gradients
    at the true labels, is not used: inputs that are learnt have none. Status: model. The diagonal leaves out that
    weights of one kernel act together, and a sum over thousands of weights is no small change.
    """
    network, images, _ = context.running()
    names = [layer.name for layer in context.units]
    curvatures = gauss_newton_diagonal(network, images[:INPUTS], names, context.rng)
    return {
        layer.weight: layer.summed(
            curvatures[layer.name] * np.square(context.weights[layer.weight], dtype=np.float64) / 2,
            context.granularity,
        )
        for layer in context.units
    }
