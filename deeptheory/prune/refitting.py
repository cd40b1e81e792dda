"""Refit of a masked network in closed form: its kept weights are fitted without a gradient step."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from deeptheory import measure, nn, theory
from deeptheory.nn.layers.base import Array
from deeptheory.prune.masked_layers import HEAD
from deeptheory.prune.wiring import is_linear

PATCHES_PER_WEIGHT = 30  # per weight of a filter: least squares on fewer patches fits their noise
LEAST_IMAGES = 200
RIDGE = 1e-4  # of the mean variance of a patch's element


def refit_layers(
    network: nn.Network,
    masks: Mapping[str, NDArray[np.bool_]],
    images: measure.Images,
    reference: nn.Network,
    quiet: bool = False,
) -> list[str]:
    r"""Fit the weights of a masked network to the outputs of the intact one, layer after layer upwards.

    .. math:: \min_{u, c} \langle (z_b - u \cdot \varphi' - c)^2 \rangle, \qquad u_R = 0

    for every filter b of every layer from the first masked one on, masked or not: z_b is its output in the intact
    network, phi' the patch that it now reads, with all layers below refitted already. Later layers can so correct
    part of the error of earlier ones. The offset c is added to the batch norm that follows, or to the bias; where
    all patches are equal the output is c alone. A layer with neither, as those of DenseNet in front of a
    concatenation, is fitted without c.
    Status: each step exact least squares (`theory.refitted_weights`), the sequence a model of retraining, ours.
    The head is not refitted: its inputs are known only afterwards. Nor is attention, whose outputs are not linear
    in its weights: what it loses is left to the projection behind it.

    Parameters
    ----------
    network : Network
        The masked network; its weights, biases and running means are replaced.
    masks : mapping of str to bool array
        By weight name, of the weight's shape, True where kept.
    images : uint8 array (N, H, W, C), or float32 array (N, ...) of inputs in the units that the network takes
        In random order: a layer uses as many of the first as give it 30 patches per weight of a filter.
    reference : Network
        The intact network.

    Returns
    -------
    list of str
        The layers that were refitted.
    """
    refitted = []
    for name in _affected(network, masks):
        enough = images[: images_for(network, name)]
        moments = measure.patch_moments(network, enough, name, reference, "refit", quiet, RIDGE)
        weight = reference.parameters()[f"{name}.weight"].astype(np.float64)
        if offset_of(reference, name, np.zeros(len(weight))) is None:
            moments = about_zero(moments)
        fitted, offset = refitted_layer(weight, masks.get(f"{name}.weight"), moments)
        network.parameters()[f"{name}.weight"] = fitted.astype(network.dtype)
        if shifted := offset_of(reference, name, offset):
            target, value = shifted
            (network.parameters() if target in network.parameters() else network.buffers())[target] = value
        refitted.append(name)
    return refitted


def refitted_layer(
    weight: NDArray[np.float64], mask: NDArray[np.bool_] | None, moments: measure.PatchMoments
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least-squares weights of one layer under a mask, and the offset of its outputs.

    Parameters
    ----------
    weight : float64 array (B, ...)
        Of the intact layer.
    mask : bool array of the shape of `weight`, or None
        True where kept.
    moments : PatchMoments
        Of the patches that the layer now reads and the outputs of the intact layer.

    Returns
    -------
    weight : float64 array of the shape of `weight`
        Zero where masked, and everywhere if all patches are equal.
    offset : float64 array (B,)
        To be added to the outputs.
    """
    flat = weight.reshape(len(weight), -1)
    kept = np.ones(flat.shape, bool) if mask is None else mask.reshape(flat.shape)
    fitted = np.zeros_like(flat)
    rows = kept.any(axis=1)
    if rows.any() and not moments.constant:
        fitted[rows] = theory.refitted_weights(
            moments.covariance, flat[rows], kept[rows], RIDGE, moments.cross[rows]
        )
    return fitted.reshape(weight.shape), moments.output_mean - fitted @ moments.mean


def about_zero(moments: measure.PatchMoments) -> measure.PatchMoments:
    """Second moments in place of covariances, for a layer that takes no offset."""
    mean, output_mean = moments.mean, moments.output_mean
    return measure.PatchMoments(
        moments.n_patches,
        np.zeros_like(mean),
        moments.covariance + np.outer(mean, mean),
        np.zeros_like(output_mean),
        moments.cross + np.outer(output_mean, mean),
    )


def images_for(network: nn.Network, layer: str) -> int:
    """Number of images that give a layer 30 patches per weight of a filter, and at least 200."""
    width = measure.mixing_layer(network, layer).parameters["weight"][0].size
    return images_for_patches(width, math.prod(network.output_shape(layer)[:-1]))


def images_for_patches(width: int, n_positions: int) -> int:
    """`images_for` a layer of `width` weights per filter that is applied at `n_positions`."""
    return max(LEAST_IMAGES, -(-PATCHES_PER_WEIGHT * width // n_positions))


def mixing_layers(network: nn.Network) -> list[str]:
    """The layers that are linear in a kernel for every pair of filters, upwards, without the head."""
    return [
        node.name for node in network.nodes if is_linear(node.layer) and not node.name.startswith(f"{HEAD}.")
    ]


def _affected(network: nn.Network, masks: Iterable[str]) -> list[str]:
    """The linear layers that are masked or whose inputs a mask changes, upwards, without the head."""
    masked = {weight.removesuffix(".weight") for weight in masks}
    changed, layers = set[str](), []
    for node in network.nodes:
        if node.name not in masked and changed.isdisjoint(node.inputs):
            continue
        changed.add(node.name)
        if is_linear(node.layer) and not node.name.startswith(f"{HEAD}."):
            layers.append(node.name)
    return layers


def offset_of(network: nn.Network, layer: str, offset: NDArray[np.float64]) -> tuple[str, Array] | None:
    """The bias or running mean that adds an offset (B,) to the output of a layer.

    Parameters
    ----------
    network : Network
        Not changed.
    layer : str
        Name of a layer, "stage3.conv".
    offset : float array (B,)

    Returns
    -------
    name, value
        Name of the layer's bias, or of the running mean of the batch norm that follows, and its new value; None
        where the layer has neither.
    """
    if f"{layer}.bias" in network.parameters():
        bias = network.parameters()[f"{layer}.bias"] + offset
        return f"{layer}.bias", bias.astype(network.dtype)
    for node in network.nodes:
        if layer in node.inputs and isinstance(node.layer, nn.BatchNorm2d):
            mean = network.buffers()[f"{node.name}.running_mean"] - offset
            return f"{node.name}.running_mean", mean.astype(network.dtype)
    return None
