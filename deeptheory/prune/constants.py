"""Which filters of a masked network are constant, and what they are then."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.nn.graph import INPUT
from deeptheory.nn.layers.base import Array
from deeptheory.prune.wiring import ELEMENTWISE, GATES, KEEPING, Mixer, Wiring, is_depthwise

Parts = Mapping[str, tuple[Array, NDArray[np.bool_]]]  # weights (*grid, ...) and kept kernels of the mixers


def constants_of(
    network: nn.Network, wiring: Wiring, parts: Parts
) -> tuple[dict[str, Array], dict[str, NDArray[np.float64]]]:
    """Values of the constant filters of every node, NaN for the others, and the offsets of every mixer.

    Values are (C,), of heads with biases (heads, d): d numbers of every token.

    Parameters
    ----------
    network : Network
        Masked in the layers that are no mixers.
    wiring : Wiring
    parts : mapping of str to (array, bool array)
        By name of a mixer: its masked weight and kept kernels.
    """
    constants = {INPUT: np.full(network.input_shape[-1], np.nan, network.dtype)}
    offsets = {}
    for node in network.nodes:
        if node.name in wiring.mixers:
            mixer, given = wiring.mixers[node.name], taken(constants[node.inputs[0]], node.layer)
            constants[node.name], offsets[node.name] = _mixed(mixer, *parts[node.name], given)
        else:
            inputs = [taken(constants[name], node.layer) for name in node.inputs]
            n = len(wiring.channels[node.name])
            constants[node.name] = _through(node.layer, inputs, n).astype(network.dtype)
    return constants, offsets


def taken(constants: Array, layer: nn.Layer) -> Array:
    """Constants as a layer takes them: those (heads, d) of heads are NaN unless it reads d numbers at once."""
    if constants.ndim == 1:
        return constants
    plain = isinstance(layer, nn.Conv2d) and layer.groups == 1 and layer.padding == 0
    if plain and layer.parameters["weight"].shape[2:] == (1, constants.shape[1]):
        return constants
    return np.full(len(constants), np.nan, constants.dtype)


def are_known(constants: Array) -> NDArray[np.bool_]:
    """Which filters are constant, (C,)."""
    return np.array([not np.isnan(values).any() for values in constants], bool)


def _mixed(
    mixer: Mixer, weight: Array, kernels: NDArray[np.bool_], given: Array
) -> tuple[Array, NDArray[np.float64]]:
    """Constants that a mixer puts out, and what its constant inputs add to its outputs."""
    if isinstance(mixer.node.layer, nn.SelfAttention):
        given = np.full_like(given, np.nan)  # what they add to queries, keys and values is no offset
    by_group = (mixer.groups, -1, mixer.grid[1])
    known = np.nan_to_num(given).astype(np.float64)
    offset = np.zeros(len(kernels))
    if given.ndim == 2:
        offset = (weight.reshape(*mixer.grid, -1) * known).sum(axis=(1, 2))
    elif not mixer.padded:
        sums = weight.reshape(*mixer.grid, -1).sum(2).reshape(by_group)
        offset = np.einsum("goi,gi->go", sums, known.reshape(mixer.groups, -1)).reshape(-1)
    varies = np.logical_not(are_known(given)) | (given != 0 if mixer.padded else False)
    alone = ~(kernels.reshape(by_group) & varies.reshape(mixer.groups, 1, -1)).any(axis=2).reshape(-1)
    bias = mixer.node.layer.parameters.get("bias", np.zeros(len(kernels)))
    if bias.size != len(kernels):  # of queries, keys and values: a head without inputs puts out the last
        values = bias.reshape(len(kernels), 3, -1)[:, 2]
        return np.where(alone[:, None], values, np.nan).astype(weight.dtype), offset
    return np.where(alone, bias + offset, np.nan).astype(weight.dtype), offset


def _through(layer: nn.Layer, given: list[Array], n: int) -> Array:
    """The n constants behind a layer that mixes nothing, from those of its inputs."""
    first = given[0]
    if isinstance(layer, KEEPING):
        return first
    if type(layer) in ELEMENTWISE:
        same = nn.with_arrays(layer, layer.parameters, layer.buffers)  # with memory of its own
        out = same.forward(np.nan_to_num(first)[None, None, None])
        return np.where(np.isnan(first), np.nan, out.reshape(-1))
    if is_depthwise(layer):
        return _depthwise(layer, first)
    if isinstance(layer, nn.Sum) and len(first) == n:
        return first + sum(given[1:])
    if isinstance(layer, nn.Concat) and sum(map(len, given)) == n:
        return np.concatenate(given)
    if isinstance(layer, nn.Subsample):
        return np.concatenate([first, np.zeros(n - len(first))])
    if type(layer) in GATES:
        return np.where(first == 0, 0, np.nan)
    return np.full(n, np.nan)


def _depthwise(layer: nn.Layer, given: Array) -> Array:
    assert isinstance(layer, nn.Conv2d)
    taps = layer.parameters["weight"].reshape(len(given), -1)
    steady = given if layer.padding == 0 else np.where(given == 0, 0, np.nan)
    out: Array = np.where(taps.any(axis=1), steady * taps.sum(axis=1), 0)
    out += layer.parameters.get("bias", 0)
    return out
