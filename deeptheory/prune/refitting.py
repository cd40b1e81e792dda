"""Refit of a masked network in closed form: what its kept weights can restore without a gradient step."""

import math
from collections.abc import Iterable, Mapping

import numpy as np

from deeptheory import measure, nn, theory
from deeptheory.errors import InputError
from deeptheory.prune.masked_layers import HEAD

PATCHES_PER_WEIGHT = 30  # of a filter: least squares on fewer fits their noise
LEAST_IMAGES = 200
RIDGE = 1e-4  # of the mean variance of a patch's element


def refit_layers(
    network: nn.Network,
    masks: Mapping[str, np.ndarray],
    images: np.ndarray,
    reference: nn.Network,
    quiet: bool = False,
) -> list[str]:
    r"""Fit the weights of a masked network to the outputs of the intact one, layer after layer upwards.

    .. math:: \min_{u, c} \langle (z_b - u \cdot \varphi' - c)^2 \rangle, \qquad u_R = 0

    for every filter b of every layer from the first masked one on, masked or not: z_b is its output in the intact
    network, phi' the patch that it now reads, with all layers below refitted already. What one layer cannot
    restore the next ones have a chance to. The offset c goes into the batch norm that follows, or the bias; where
    all patches are the same it is all that is left of the output.
    Status: each step exact least squares (`theory.refitted_weights`), the sequence a model of retraining, ours.
    The head is left as it is: what it is to read is known only afterwards.

    Parameters
    ----------
    network : Network
        The masked network; its weights, biases and running means are replaced.
    masks : mapping of str to bool array
        By weight name, of the weight's shape, True where kept.
    images : uint8 array (N, H, W, C)
        In random order: a layer uses as many of the first as give it 30 patches per weight of a filter.
    reference : Network
        The intact network.

    Returns
    -------
    list of str
        The layers that were refitted.

    Raises
    ------
    InputError
        A layer has neither a bias nor a batch norm behind it.
    """
    refitted = []
    for name in _affected(network, masks):
        enough = images[: images_for(network, name)]
        moments = measure.patch_moments(network, enough, name, reference, "refit", quiet, RIDGE)
        weight = reference.parameters()[f"{name}.weight"].astype(np.float64)
        fitted, offset = refitted_layer(weight, masks.get(f"{name}.weight"), moments)
        network.parameters()[f"{name}.weight"] = fitted.astype(network.dtype)
        found = offset_of(reference, name, offset)
        if found is None:
            raise InputError(f"layer '{name}'", "a bias, or a batch norm that follows", "neither")
        place, value = found
        (network.parameters() if place in network.parameters() else network.buffers())[place] = value
        refitted.append(name)
    return refitted


def refitted_layer(
    weight: np.ndarray, mask: np.ndarray | None, moments: measure.PatchMoments
) -> tuple[np.ndarray, np.ndarray]:
    """The weights of one layer that come nearest to the outputs, and the offset that they leave.

    Parameters
    ----------
    weight : float64 array (B, ...)
        Of the intact layer.
    mask : bool array of the shape of `weight`, or None
        True where kept.
    moments : PatchMoments
        Of the patches that the layer now reads and the outputs that it had.

    Returns
    -------
    weight : float64 array of the shape of `weight`
        Zero where masked, and everywhere if all patches are the same.
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


def images_for(network: nn.Network, layer: str) -> int:
    """Images that give a layer 30 patches for every weight of a filter, and at least 200."""
    width = measure.mixing_layer(network, layer).parameters["weight"][0].size
    return images_for_patches(width, math.prod(network.output_shape(layer)[:-1]))


def images_for_patches(width: int, n_positions: int) -> int:
    """`images_for` a layer of `width` weights per filter that is applied at `n_positions`."""
    return max(LEAST_IMAGES, -(-PATCHES_PER_WEIGHT * width // n_positions))


def _affected(network: nn.Network, masks: Iterable[str]) -> list[str]:
    """The layers that are masked or read what a masked layer changes, upwards, without the head."""
    masked = {weight.removesuffix(".weight") for weight in masks}
    changed, found = set[str](), []
    for node in network.nodes:
        if node.name not in masked and changed.isdisjoint(node.inputs):
            continue
        changed.add(node.name)
        mixes = isinstance(node.layer, nn.Linear) or (
            isinstance(node.layer, nn.Conv2d) and node.layer.groups == 1
        )
        if mixes and not node.name.startswith(f"{HEAD}."):
            found.append(node.name)
    return found


def offset_of(network: nn.Network, layer: str, offset: np.ndarray) -> tuple[str, np.ndarray] | None:
    """What adds an offset (B,) to the output of a layer.

    Parameters
    ----------
    network : Network
        Left as it is.
    layer : str
        Name of a layer, "stage3.conv".
    offset : float array (B,)

    Returns
    -------
    name, value
        The layer's bias, or the running mean of the batch norm that follows, and what it has to be; None where the
        layer has neither.
    """
    if f"{layer}.bias" in network.parameters():
        bias = network.parameters()[f"{layer}.bias"] + offset
        return f"{layer}.bias", bias.astype(network.dtype)
    for node in network.nodes:
        if layer in node.inputs and isinstance(node.layer, nn.BatchNorm2d):
            mean = network.buffers()[f"{node.name}.running_mean"] - offset
            return f"{node.name}.running_mean", mean.astype(network.dtype)
    return None
