"""Optimal brain surgeon, layer by layer: keep the inputs that the other inputs of a filter cannot replace."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deeptheory import measure, nn, theory
from deeptheory.data.dataset import Images
from deeptheory.nn.layers.base import Array
from deeptheory.prune.criterion_context import Context, Scores
from deeptheory.prune.masked_layers import MaskedLayer
from deeptheory.prune.masks import Masks
from deeptheory.prune.refitting import RIDGE, images_for, offset_of

IMAGES = 2000  # behind the moments of one layer, at most
GREEDY_WORK = 2e8  # filters times inputs times D^2, up to which the order is greedy


def scores(context: Context) -> Scores:
    r"""Rise of a filter's relative error when one more weight or kernel is removed and the others are refitted.

    .. math:: L_q = \frac{1}{2} u_q^T \left([G^{-1}]_{qq}\right)^{-1} u_q, \qquad
              s_q = \frac{L_q}{|q|\, B\, \frac{1}{2} w^T G w}

    with G the second moment of the patches that the layer reads on training inputs, the Hessian of the layer's
    squared error; u the refitted remaining weights, of which input q has |q|, and B the filters of the layer. G is
    the covariance where a bias or a batch norm can restore the mean. For single weights :math:`L_q = u_q^2 / 2
    [G^{-1}]_{qq}`.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to float64 array
        Inputs of a filter are removed one after the other; each has the cost at its turn, or the largest cost
        before it where that is larger. Scores rank across layers: the error of a layer is the mean over its
        filters, each in units of its output, and counted per removed weight.

    Raises
    ------
    InputError
        The context has no network or no inputs.

    Notes ----- Source: Hassibi and Stork, "Second order derivatives for network pruning: optimal brain surgeon"
    (1993), for the error of one layer as in Dong, Chen, Pan, "Learning to prune deep neural networks via
    layer-wise optimal brain surgeon" (2017). In layers that are not too wide the order is greedy
    (`theory.removal_paths`), in wider ones by the cost of each weight or kernel alone
    (`theory.costs_without_refit`); the costs are exact along either order (`theory.residuals_along`). At most 2000
    inputs. Status: exact for the order and the inputs, up to a ridge of 1e-4; that an error of a given size is
    equally harmful in every layer is a model. It neglects what later layers read.
    """
    network, images, _ = context.running()
    found: Scores = {}
    for layer in context.units:
        moment = _moment(network, images, layer)[0]
        flat = context.filters(layer)
        n_inputs = flat.shape[1] if context.granularity == "weight" else layer.n_inputs
        costs = relative_costs(moment, flat, n_inputs)
        per_weight = costs / (len(flat) * (flat.shape[1] // n_inputs))
        found[layer.weight] = per_weight.reshape(layer.units(context.granularity))
    return found


def relative_costs(
    moment: NDArray[np.float64], weights: NDArray[np.float64], n_inputs: int
) -> NDArray[np.float64]:
    """Cost of every input at its turn (B, n_inputs), in units of the filter's mean square, never falling."""
    if len(weights) * n_inputs * len(moment) ** 2 <= GREEDY_WORK:
        paths = theory.removal_paths(moment, weights, n_inputs, RIDGE)
        order, residual = paths.inputs, paths.residual
    else:
        alone = theory.costs_without_refit(moment, weights, n_inputs)
        order = np.argsort(alone, axis=1, kind="stable")[:, :-1]
        residual = theory.residuals_along(moment, weights, order, RIDGE)
    filters = np.arange(len(weights))[:, None]
    last = n_inputs * (n_inputs - 1) // 2 - order.sum(axis=1, keepdims=True)
    ridge = RIDGE * np.trace(moment) / len(moment)
    everything = np.sum(weights @ moment * weights, axis=1) + ridge * np.sum(weights**2, axis=1)
    steps = np.diff(residual, axis=1, prepend=0, append=everything[:, None])
    costs = np.empty((len(weights), n_inputs))
    costs[filters, np.concatenate([order, last], axis=1)] = np.maximum.accumulate(steps, axis=1)
    relative: NDArray[np.float64] = np.divide(
        costs, everything[:, None], out=np.zeros(costs.shape), where=everything[:, None] > 0
    )
    return relative


def update(context: Context, masks: Masks) -> Mapping[str, Array]:
    """The remaining weights of every layer, refitted to the layer's outputs in the intact network.

    Every layer is refitted on the inputs that it has in the intact network (`theory.refitted_weights`); the lost
    mean is added to its bias or to the batch norm that follows. Unlike in `refit_layers`, the losses of the layers
    below are not compensated.

    Parameters
    ----------
    context : Context
    masks : Masks

    Returns
    -------
    dict of str to array
        By name: weights, zero where masked, and biases or running means.
    """
    network, images, _ = context.running()
    updated: dict[str, Array] = {}
    for layer in context.layers:
        flat = context.filters(layer)
        kept = masks[layer.weight].reshape(flat.shape)
        if kept.all():
            continue
        moment, mean = _moment(network, images, layer)
        fitted, rows = np.zeros_like(flat), kept.any(axis=1)
        if rows.any():
            fitted[rows] = theory.refitted_weights(moment, flat[rows], kept[rows], RIDGE)
        updated[layer.weight] = fitted.reshape(layer.shape).astype(network.dtype)
        offset = offset_of(network, layer.name, (flat - fitted) @ mean)
        if offset is not None:
            updated[offset[0]] = offset[1]
    return updated


def _moment(
    network: nn.Network, images: Images, layer: MaskedLayer
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Second moment and mean of the layer's patches; the covariance where the mean can be restored."""
    enough = images[: min(images_for(network, layer.name), IMAGES)]
    moments = measure.patch_moments(network, enough, layer.name, quiet=True)
    if offset_of(network, layer.name, np.zeros(layer.shape[0])) is None:
        return moments.covariance + np.outer(moments.mean, moments.mean), moments.mean
    return moments.covariance, moments.mean
