"""snr-budget: remove first the connections whose removal is predicted to cost least accuracy."""

import numpy as np

from deeptheory.prune.criterion_context import Context, Scores, required


def scores(context: Context) -> Scores:
    """Place of every kernel in the order of removal of `theory.budget_order`, as a share of all that are removed.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to (out, n_inputs) float64 array
        Within [0, 1]; 1 for the last kernel of a filter, which is never removed.

    Raises
    ------
    InputError
        The context has no order.
    """
    expected, do = "the order of the SNR budget", "measure the run first"
    order = required(context.order, "snr-budget", expected, do)()
    places = order.laid_out(np.arange(len(order.layer)) / len(order.layer))
    return {layer.weight: score for layer, score in zip(context.layers, places, strict=True)}
