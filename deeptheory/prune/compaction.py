"""Physical removal: the network without the filters and kernels that masks disconnect."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.graph import n_readers
from deeptheory.nn.kernels.vectors import LANES
from deeptheory.nn.layers.base import Array
from deeptheory.prune.removal import Removal, find_removal
from deeptheory.prune.wiring import Mixer

TOLERANCE = 1e-5  # of the logits of masked and compact network, relative to the largest of them
SAMPLE = 32  # inputs on which they are compared
SPARSE_BELOW = (
    0.5  # kept share of the kernels between the filters left, from which on dense kernels are faster
)


@dataclass(frozen=True)
class CompactLayer:
    """What is left of one layer.

    Attributes
    ----------
    name : str
    filters, filters_left : int
        Outputs before and after; those left include idle ones that fill a dense layer up to its vectors.
    kernels, kernels_left : int
        Kernels before, and kept between the filters left.
    sparse : bool
        Whether it is stored and computed kernel by kernel, instead of densely between the filters left.
    constant, unread : int
        Filters without input, whose constants were folded into what follows, and filters that nothing reads.
    """

    name: str
    filters: int
    filters_left: int
    kernels: int
    kernels_left: int
    sparse: bool
    constant: int
    unread: int


def compact(network: nn.Network, masks: Mapping[str, Array]) -> nn.Network:
    """Cut out of a network what masks disconnect, and check that its logits are still those of the masked one.

    Parameters
    ----------
    network : Network
        It is left as it is.
    masks : mapping of str to bool array
        Dotted weight name to a mask of the weight's shape (`find_removal`).

    Returns
    -------
    Network
        A new network with the same names of stages and layers. Filters that nothing reads and filters without
        input are gone where they can go (`Mixer.cuttable`); the constants of the latter are folded exactly into
        what follows. Offsets go to the mean of the batch norm that follows, or to a bias.

    Raises
    ------
    InputError
        As `find_removal`; or the logits of masked and compact network differ by more than 1e-5 of the largest.
    """
    removal = find_removal(network, masks)
    mixers, left = removal.wiring.mixers, {name: _filters_left(removal, name) for name in removal.layers}
    normed = _mixers_before_norms(network, mixers)
    nodes = {node.name: node for node in network.nodes}
    stages = []
    for stage in (*network.stages, network.head):
        layers = {}
        for key in stage.layers:
            name = f"{stage.name}.{key}"
            if name in mixers:
                inputs = left.get(mixers[name].source, np.arange(mixers[name].grid[1]))
                layers[key] = _cut_mixer(removal, name, left[name], inputs, name in normed.values())
            else:
                filters = left.get(removal.wiring.origin[name])
                offset = removal.layers[normed[name]].offset if name in normed else None
                layers[key] = _cut_other(nodes[name], masks, filters, offset)
        stages.append(nn.Stage(stage.name, layers, (), stage.inputs))
    compacted = nn.assemble(stages, network.input_shape, network.dtype)
    rng = np.random.default_rng(0)
    sample = rng.uniform(-1, 1, (SAMPLE, *network.input_shape)).astype(network.dtype)
    check_agreement(masked_network(network, masks), compacted, sample)
    return compacted


def compact_layers(
    network: nn.Network, masks: Mapping[str, Array], compacted: nn.Network
) -> tuple[CompactLayer, ...]:
    """What `compact` left of every layer with kernels between filters."""
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


def masked_network(network: nn.Network, masks: Mapping[str, Array]) -> nn.Network:
    """A copy of a network with the masked weights set to zero; what is not masked is shared."""
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
    """Refuse a compact network whose logits are not those of the masked one.

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
    expected, found = masked.infer(images), compacted.infer(images)
    difference, largest = np.abs(found - expected).max(), np.abs(expected).max()
    if not difference <= TOLERANCE * largest:
        raise InputError(
            "compact network",
            f"the logits of the masked network to {TOLERANCE:g} of the largest, {largest:.2g}",
            f"a difference of {difference:.2g}",
            "report the network and its masks: the removal should be exact to rounding",
        )


def _filters_left(removal: Removal, name: str) -> Array:
    """Numbers of the filters left: those that stay, and idle ones up to a whole number of vectors.

    The kernels of dense convolutions take channels in sixteens; with fewer they are slower, not faster.
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
    """Names of batch norms that are all that reads a mixer, to the name of the mixer."""
    readers = n_readers(network.nodes)
    return {
        node.name: node.inputs[0]
        for node in network.nodes
        if isinstance(node.layer, nn.BatchNorm2d)
        and node.inputs[0] in mixers
        and readers[node.inputs[0]] == 1
    }


def _is_sparse(removal: Removal, name: str) -> bool:
    """Whether a layer is stored and computed kernel by kernel."""
    return removal.density(name) < SPARSE_BELOW


def _cut_mixer(removal: Removal, name: str, outputs: Array, inputs: Array, normed: bool) -> nn.Layer:
    """A mixer between the filters left; what its constant inputs add is left to the batch norm if there is one."""
    layer, own, between = (
        removal.wiring.mixers[name].node.layer,
        removal.layers[name],
        np.ix_(outputs, inputs),
    )
    weight, kernels = own.weight[between], own.kernels[between]
    offset = np.zeros_like(own.offset) if normed else own.offset
    bias = None
    if "bias" in layer.parameters or offset.any():
        bias = (layer.parameters.get("bias", 0) + offset)[outputs].astype(weight.dtype)
    if isinstance(layer, nn.Linear):
        weight = weight.reshape(len(outputs), -1)
        if _is_sparse(removal, name):
            return nn.SparseLinear.from_dense(weight, kernels, bias)
    elif isinstance(layer, nn.Conv2d) and _is_sparse(removal, name):
        return nn.SparseConv2d.from_dense(weight, kernels, layer.stride, layer.padding, bias)
    return nn.with_arrays(layer, {"weight": weight} | ({} if bias is None else {"bias": bias}), {})


def _cut_other(
    node: nn.Node, masks: Mapping[str, Array], filters: Array | None, offset: Array | None
) -> nn.Layer:
    """A layer that does not mix filters, for the filters left of the mixer before it, where these are cut."""
    layer = node.layer
    parameters = {name: array.copy() for name, array in _masked_parameters(node.name, layer, masks).items()}
    buffers = {name: array.copy() for name, array in layer.buffers.items()}
    if isinstance(layer, nn.BatchNorm2d):
        if offset is not None:
            buffers["running_mean"] -= offset.astype(layer.buffers["running_mean"].dtype)
        if filters is not None:
            parameters, buffers = (
                {name: array[filters] for name, array in arrays.items()} for arrays in (parameters, buffers)
            )
    return nn.with_arrays(layer, parameters, buffers)


def _masked_parameters(name: str, layer: nn.Layer, masks: Mapping[str, Array]) -> dict[str, Array]:
    return {
        key: array * masks[f"{name}.{key}"] if f"{name}.{key}" in masks else array
        for key, array in layer.parameters.items()
    }
