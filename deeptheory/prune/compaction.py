"""Physical removal: the network without the filters and kernels that masks disconnect."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.graph import n_readers
from deeptheory.nn.kernels.vectors import LANES
from deeptheory.nn.layers.base import Array
from deeptheory.prune.removal import Removal, find_removal
from deeptheory.prune.wiring import Mixer

TOLERANCE = 1e-5  # of the logits of masked and compact network, relative to the largest of them
SAMPLE = 32  # inputs on which they are compared
SPARSE_BELOW = 0.5  # kept share of the kernels; above it, dense convolutions are faster


@dataclass(frozen=True)
class CompactLayer:
    """What remains of one layer.

    Attributes
    ----------
    name : str
    filters, filters_left : int
        Outputs before and after; after, a dense layer may have zero filters up to a whole number of vectors.
    kernels, kernels_left : int
        Kernels before, and those kept between the remaining filters.
    sparse : bool
        Whether only its kept kernels are stored and computed, instead of all between the remaining filters.
    constant, unread : int
        Removed filters without inputs, whose constants were folded into what follows, and removed filters that no
        layer reads.
    """

    name: str
    filters: int
    filters_left: int
    kernels: int
    kernels_left: int
    sparse: bool
    constant: int
    unread: int


def compact(network: nn.Network, masks: Mapping[str, NDArray[np.bool_]]) -> nn.Network:
    """Remove the filters and kernels that masks disconnect, and check the logits against the masked network.

    Parameters
    ----------
    network : Network
        Not changed.
    masks : mapping of str to bool array
        Dotted weight name to a mask of the weight's shape (`find_removal`).

    Returns
    -------
    Network
        A new network with the same names of stages and layers. Filters that no layer reads and filters without
        inputs are removed where this is possible (`Mixer.cuttable`); the constants of the latter are folded
        exactly into what follows. Offsets are added to the mean of the batch norm that follows, or to a bias.

    Raises
    ------
    InputError
        As `find_removal`; or the logits of masked and compact network differ by more than 1e-5 of the largest.
    """
    removal = find_removal(network, masks)
    mixers, left = removal.wiring.mixers, {name: _filters_left(removal, name) for name in removal.layers}
    mixer_of_norm = _mixers_before_norms(network, mixers)
    nodes = {node.name: node for node in network.nodes}
    stages = []
    for stage in (*network.stages, network.head):
        layers = {}
        for key in stage.layers:
            name = f"{stage.name}.{key}"
            if name in mixers:
                inputs = left.get(mixers[name].source, np.arange(mixers[name].grid[1]))
                layers[key] = _cut_mixer(removal, name, left[name], inputs, name in mixer_of_norm.values())
            else:
                filters = left.get(removal.wiring.origin[name])
                offset = removal.layers[mixer_of_norm[name]].offset if name in mixer_of_norm else None
                layers[key] = _cut_other(nodes[name], masks, filters, offset)
        stages.append(nn.Stage(stage.name, layers, (), stage.inputs))
    compacted = nn.assemble(stages, network.input_shape, network.dtype)
    sample = network.examples(SAMPLE, np.random.default_rng(0))
    check_agreement(masked_network(network, masks), compacted, sample)
    return compacted


def compact_layers(
    network: nn.Network, masks: Mapping[str, NDArray[np.bool_]], compacted: nn.Network
) -> tuple[CompactLayer, ...]:
    """What remains of every layer that mixes channels, after `compact`."""
    removal = find_removal(network, masks)
    return tuple(
        CompactLayer(
            name,
            filters=mixer.grid[0],
            filters_left=compacted.output_shape(name)[-1],
            kernels=mixer.grid[0] * mixer.grid[1],
            kernels_left=int(removal.layers[name].kernels.sum()),
            sparse=_is_sparse(removal, name),
            constant=removal.layers[name].constant,
            unread=removal.layers[name].unread,
        )
        for name, mixer in removal.wiring.mixers.items()
    )


def masked_network(network: nn.Network, masks: Mapping[str, NDArray[np.bool_]]) -> nn.Network:
    """A copy of a network with the masked weights set to zero; arrays that are not masked are shared."""
    stages = [
        nn.Stage(
            stage.name,
            {
                key: nn.with_arrays(
                    layer, _masked_parameters(f"{stage.name}.{key}", layer, masks), layer.buffers
                )
                for key, layer in stage.layers.items()
            },
            stage.output_shape,
            stage.inputs,
        )
        for stage in (*network.stages, network.head)
    ]
    return nn.assemble(stages, network.input_shape, network.dtype)


def check_agreement(masked: nn.Network, compacted: nn.Network, images: Array) -> None:
    """Raise if the logits of a compact network are not those of the masked network.

    Parameters
    ----------
    masked, compacted : Network
    images : float array (N, H, W, C)
        Pixels scaled to [-1, 1].

    Raises
    ------
    InputError
        They differ by more than 1e-5 of the largest logit.
    """
    expected, logits = _logits(masked, images), _logits(compacted, images)
    difference, largest = np.abs(logits - expected).max(), np.abs(expected).max()
    if not difference <= TOLERANCE * largest:
        raise InputError(
            "compact network",
            f"the logits of the masked network to {TOLERANCE:g} of the largest, {largest:.2g}",
            f"a difference of {difference:.2g}",
            "report the network and its masks: the removal should be exact to rounding",
        )


def _logits(network: nn.Network, images: Array) -> Array:
    per_pass = network.inputs_per_pass
    return np.concatenate([network.infer(images[i : i + per_pass]) for i in range(0, len(images), per_pass)])


def _filters_left(removal: Removal, name: str) -> NDArray[np.intp]:
    """Numbers of the remaining filters: those that stay, and some more up to a whole number of vectors.

    The compiled kernels of dense convolutions compute 16 channels at a time; with fewer they are slower.
    """
    stays = removal.layers[name].stays.copy()
    ends = [removal.wiring.mixers[name], *removal.wiring.readers(name)]
    dense = (
        isinstance(mixer.node.layer, nn.Conv2d) and not _is_sparse(removal, mixer.node.name) for mixer in ends
    )
    if len(stays) % LANES == 0 and any(dense):
        stays[np.flatnonzero(~stays)[: -int(stays.sum()) % LANES]] = True
    return np.flatnonzero(stays)


def _mixers_before_norms(network: nn.Network, mixers: Mapping[str, Mixer]) -> dict[str, str]:
    """Names of the batch norms that alone read the output of a mixer, to the name of that mixer."""
    readers = n_readers(network.nodes)
    return {
        node.name: node.inputs[0]
        for node in network.nodes
        if isinstance(node.layer, nn.BatchNorm2d)
        and node.inputs[0] in mixers
        and readers[node.inputs[0]] == 1
    }


def _is_sparse(removal: Removal, name: str) -> bool:
    """Whether only the kept kernels of a layer are stored and computed; attention has no such form."""
    attention = isinstance(removal.wiring.mixers[name].node.layer, nn.SelfAttention)
    return not attention and removal.density(name) < SPARSE_BELOW


def _cut_mixer(
    removal: Removal, name: str, outputs: NDArray[np.intp], inputs: NDArray[np.intp], has_norm: bool
) -> nn.Layer:
    """A mixer between the remaining filters; with a batch norm behind it, that takes the offset."""
    layer, remaining = removal.wiring.mixers[name].node.layer, removal.layers[name]
    between = np.ix_(outputs, inputs)
    weight, kernels = remaining.weight[between], remaining.kernels[between]
    offset = np.zeros_like(remaining.offset) if has_norm else remaining.offset
    bias = None
    if isinstance(layer, nn.SelfAttention):
        if "bias" in layer.parameters:
            bias = layer.parameters["bias"].reshape(len(layer.parameters["weight"]), -1)[outputs].reshape(-1)
    elif "bias" in layer.parameters or offset.any():
        bias = (layer.parameters.get("bias", 0) + offset)[outputs].astype(weight.dtype)
    if isinstance(layer, nn.Linear):
        weight = weight.reshape(len(outputs), -1)
        if _is_sparse(removal, name):
            return nn.SparseLinear.from_dense(weight, kernels, bias)
    elif isinstance(layer, nn.Conv2d) and _is_sparse(removal, name):
        return nn.SparseConv2d.from_dense(weight, kernels, layer.stride, layer.padding, bias)
    return nn.with_arrays(layer, {"weight": weight} | ({} if bias is None else {"bias": bias}), {})


def _cut_other(
    node: nn.Node,
    masks: Mapping[str, NDArray[np.bool_]],
    filters: NDArray[np.intp] | None,
    offset: NDArray[np.float64] | None,
) -> nn.Layer:
    """A layer that does not mix channels, for the remaining `filters`; None where all of them remain."""
    layer = node.layer
    parameters = {name: array.copy() for name, array in _masked_parameters(node.name, layer, masks).items()}
    buffers = {name: array.copy() for name, array in layer.buffers.items()}
    if isinstance(layer, nn.BatchNorm2d) and offset is not None:
        buffers["running_mean"] -= offset.astype(layer.buffers["running_mean"].dtype)
    if isinstance(layer, nn.BatchNorm2d | nn.LayerScale) and filters is not None:
        parameters, buffers = (
            {name: array[filters] for name, array in arrays.items()} for arrays in (parameters, buffers)
        )
    return nn.with_arrays(layer, parameters, buffers)


def _masked_parameters(
    name: str, layer: nn.Layer, masks: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Array]:
    return {
        key: array * masks[f"{name}.{key}"] if f"{name}.{key}" in masks else array
        for key, array in layer.parameters.items()
    }
