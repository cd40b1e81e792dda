"""Optimal brain damage: keep the weights along which the loss has the largest curvature."""

import numpy as np

from deeptheory.prune.criterion_context import Context, Scores
from deeptheory.prune.gauss_newton import gauss_newton_diagonal
from deeptheory.prune.gradients import INPUTS


def scores(context: Context) -> Scores:
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

    Notes ----- Source: LeCun, Denker, Solla, "Optimal brain damage" (1990), there for single weights and with the
    diagonal of the Hessian, of which this is the positive semidefinite part. The empirical Fisher diagonal,
    squared gradients at the true labels, is not used: it vanishes on inputs that are learnt. Status: model. The
    diagonal neglects that weights of one kernel act together, and the removal of thousands of weights is no small
    change.
    """
    network, images, _ = context.running()
    names = [layer.name for layer in context.units]
    curvatures = gauss_newton_diagonal(network, images[:INPUTS], names, context.rng)
    return context.summed(
        {
            layer.weight: curvatures[layer.name]
            * np.square(context.weights[layer.weight], dtype=np.float64)
            / 2
            for layer in context.units
        }
    )
