"""snr-overlap: the geometric mean of the order of the SNR budget and that of least lost overlap."""

import numpy as np

from deeptheory.prune.criteria import lamp, snr_budget
from deeptheory.prune.criterion_context import Context, Scores
from deeptheory.prune.masked_layers import MaskedLayer


def scores(context: Context) -> Scores:
    r"""Minus the logarithm of the product of two densities: those at which either order removes the kernel.

    .. math:: s_q = -\ln d_q^{\mathrm{SNR}} - \ln d_q^{\mathrm{overlap}}

    The first order is that of `theory.budget_order`: by the loss of margin to noise when a kernel is removed and
    the filter's other weights are refitted. The second is by the overlap of the pruned with the trained network:
    with :math:`R_m^2` the share of layer m's squared weights that is left, the squared overlap of
    `theory.magnitude_overlap`, removing kernel q lowers :math:`\sum_m \ln R_m^2` by its share of the remaining
    squared weights of its layer. So the greedy order of the product of overlaps is that of LAMP's scores.

    Parameters
    ----------
    context : Context
        With the order of the SNR budget.

    Returns
    -------
    dict of str to (out, n_inputs) float64 array
        Scores rank across layers.

    Raises
    ------
    InputError
        As `snr_budget.scores`.

    Notes ----- Status: heuristic, ours. Each order is derived, their geometric mean is not: the budget measures
    the function of a connection in the trained network but not how far the starting point of retraining moves; the
    overlap measures the second but not the first. It was chosen on two networks on glyphs; on others it equals
    LAMP at densities of 0.1 and above, and is far better below (docs/results.md).
    """
    orders = (snr_budget.scores(context), lamp.scores(context))
    densities = [removal_densities(context.layers, order) for order in orders]
    return {name: -np.log(densities[0][name]) - np.log(densities[1][name]) for name in orders[0]}


def removal_densities(layers: tuple[MaskedLayer, ...], kernel_scores: Scores) -> Scores:
    """Share of all masked weights that is left just before each kernel is removed, in the order of rising scores.

    Of kernels with equal scores the one with the largest index is removed first.
    """
    sizes = np.concatenate([np.full(layer.n_kernels, layer.kernel_size) for layer in layers])
    flat = np.concatenate([kernel_scores[layer.weight].ravel() for layer in layers])
    order = np.argsort(-flat, kind="stable")
    left = np.empty(flat.size)
    left[order] = np.cumsum(sizes[order]) / sizes.sum()
    parts = np.split(left, np.cumsum([layer.n_kernels for layer in layers])[:-1])
    return {layer.weight: part.reshape(layer.grid) for layer, part in zip(layers, parts, strict=True)}
