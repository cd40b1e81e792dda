"""snr-budget: connections go in the order of the accuracy that they are predicted to cost."""

import numpy as np

from deeptheory.errors import InputError
from deeptheory.prune.criterion_context import Context


def scores(context: Context) -> dict[str, np.ndarray]:
    """Place of every kernel in the order of `theory.budget_order`, as a share of all that goes.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to (out, n_inputs) float64 array
        Within [0, 1]; 1 for the last kernel of a filter, which the order keeps.

    Raises
    ------
    InputError
        The context has no order.
    """
    if context.order is None:
        raise InputError(
            "criterion 'snr-budget'", "the order of the SNR budget", "none", "measure the run first"
        )
    order = context.order()
    found = order.laid_out(np.arange(len(order.layer)) / len(order.layer))
    return {layer.weight: score for layer, score in zip(context.layers, found, strict=True)}
