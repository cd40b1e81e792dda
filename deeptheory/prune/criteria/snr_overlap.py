"""snr-overlap: the order of the SNR budget and that of least lost overlap, half of each."""

import numpy as np

from deeptheory.prune.criteria import lamp, snr_budget
from deeptheory.prune.criteria.criterion import Scores
from deeptheory.prune.criterion_context import Context
from deeptheory.prune.masked_layers import MaskedLayer


def scores(context: Context) -> Scores:
    r"""Minus the logarithm of the product of two densities: those at which either order removes the kernel.

    .. math:: s_q = -\ln d_q^{\mathrm{SNR}} - \ln d_q^{\mathrm{overlap}}

    The first order is that of `theory.budget_order`: what the noise costs the margins when a kernel goes and the
    filter's other weights are refitted. The second goes by the overlap of the pruned with the trained network:
    with :math:`R_m^2` the share of layer m's squared weights that is left, the squared overlap of
    `theory.magnitude_overlap`, removing kernel q lowers :math:`\sum_m \ln R_m^2` by its share of what is left of
    its layer. So the greedy order of the product of overlaps is that of LAMP's scores.

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

    Notes
    -----
    Status: heuristic, ours. Each order is derived, their geometric mean is not: the budget knows what a connection
    does in the trained network and nothing of what retraining starts from, the overlap the other way round. It was
    chosen on two networks on glyphs; on others it is level with LAMP at densities of 0.1 and above, and far above
    it below (docs/results.md).
    """
    orders = (snr_budget.scores(context), lamp.scores(context))
    densities = [removal_densities(context.layers, order) for order in orders]
    return {name: -np.log(densities[0][name]) - np.log(densities[1][name]) for name in orders[0]}


def removal_densities(layers: tuple[MaskedLayer, ...], kernel_scores: Scores) -> Scores:
    """Share of all masked weights that is left just before each kernel goes, when the lowest scores go first.

    Equal scores go in the order of their index, the last first.
    """
    sizes = np.concatenate([np.full(layer.n_kernels, layer.kernel_size) for layer in layers])
    flat = np.concatenate([kernel_scores[layer.weight].ravel() for layer in layers])
    order = np.argsort(-flat, kind="stable")
    left = np.empty(flat.size)
    left[order] = np.cumsum(sizes[order]) / sizes.sum()
    parts = np.split(left, np.cumsum([layer.n_kernels for layer in layers])[:-1])
    return {layer.weight: part.reshape(layer.grid) for layer, part in zip(layers, parts, strict=True)}
