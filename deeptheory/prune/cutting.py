"""The layers of a compact network, made from those of the masked one and what is left of its filters."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.nn.graph import n_readers
from deeptheory.nn.layers.base import Array
from deeptheory.nn.rebuilding import make_layer, options_of
from deeptheory.prune.constants import taken
from deeptheory.prune.idle_filters import Left, is_sparse
from deeptheory.prune.removal import Removal
from deeptheory.prune.wiring import GATES, is_depthwise

Arrays = dict[str, Array]


def cut_stages(masked: nn.Network, removal: Removal, left: Left) -> list[nn.Stage]:
    """The stages of the masked network, the head last, without the filters that are not `left`; without shapes."""
    normed = _mixers_before_norms(masked, removal)
    before_norms, layers = set(normed.values()), dict[str, nn.Layer]()
    for node in masked.nodes:
        if node.name in removal.wiring.mixers:
            layers[node.name] = _cut_mixer(removal, node.name, left, node.name in before_norms)
        else:
            offset = removal.layers[normed[node.name]].offset if node.name in normed else None
            layers[node.name] = _cut_other(node, removal, left, offset)
    return [
        nn.Stage(stage.name, {key: layers[f"{stage.name}.{key}"] for key in stage.layers}, (), stage.inputs)
        for stage in (*masked.stages, masked.head)
    ]


def _mixers_before_norms(network: nn.Network, removal: Removal) -> dict[str, str]:
    """Names of the batch norms that alone read the output of a mixer, to the name of that mixer."""
    readers = n_readers(network.nodes)
    return {
        node.name: node.inputs[0]
        for node in network.nodes
        if isinstance(node.layer, nn.BatchNorm2d)
        and node.inputs[0] in removal.wiring.mixers
        and readers[node.inputs[0]] == 1
    }


def _cut_mixer(removal: Removal, name: str, left: Left, has_norm: bool) -> nn.Layer:
    """A mixer between the filters left; with a batch norm behind it, that takes the offset."""
    mixer, remaining = removal.wiring.mixers[name], removal.layers[name]
    layer, outputs = mixer.node.layer, np.flatnonzero(left[mixer.writes])
    weight, n_groups = _by_groups(remaining.weight, left[mixer.reads], left[mixer.writes], mixer.groups)
    offset = np.zeros_like(remaining.offset) if has_norm else remaining.offset
    bias = None
    if isinstance(layer, nn.SelfAttention):
        if "bias" in layer.parameters:
            bias = layer.parameters["bias"].reshape(len(layer.parameters["weight"]), -1)[outputs].reshape(-1)
    elif "bias" in layer.parameters or offset.any():
        bias = (layer.parameters.get("bias", 0) + offset)[outputs].astype(weight.dtype)
    if is_sparse(removal, name):
        kernels = remaining.kernels[np.ix_(outputs, np.flatnonzero(left[mixer.reads]))]
        if isinstance(layer, nn.Conv2d):
            return nn.SparseConv2d.from_dense(weight, kernels, layer.stride, layer.padding, bias)
        return nn.SparseLinear.from_dense(weight.reshape(len(outputs), -1), kernels, bias)
    arrays = {"weight": weight} | ({} if bias is None else {"bias": bias})
    if isinstance(layer, nn.Conv2d):
        return _with_options(layer, arrays, {}, groups=n_groups)
    if isinstance(layer, nn.Linear):
        arrays["weight"] = weight.reshape(len(outputs), -1)
    return nn.with_arrays(layer, arrays, {})


def _by_groups(
    weight: Array, inputs: NDArray[np.bool_], outputs: NDArray[np.bool_], groups: int
) -> tuple[Array, int]:
    """The rows and columns left of a weight (n_out, n_inputs, ...), and the number of groups left."""
    sides = zip(*(np.split(array, groups) for array in (weight, outputs, inputs)), strict=True)
    parts = [of_group[rows][:, columns] for of_group, rows, columns in sides if rows.any()]
    return np.concatenate(parts), len(parts)


def _cut_other(node: nn.Node, removal: Removal, left: Left, offset: NDArray[np.float64] | None) -> nn.Layer:
    """A layer that does not mix channels, for the filters left; a batch norm may take an offset."""
    layer, kept = node.layer, left[removal.wiring.channels[node.name]]
    parameters = {name: array.copy() for name, array in layer.parameters.items()}
    buffers = {name: array.copy() for name, array in layer.buffers.items()}
    if isinstance(layer, nn.BatchNorm2d) and offset is not None:
        buffers["running_mean"] -= offset.astype(layer.buffers["running_mean"].dtype)
    if kept.all():
        return nn.with_arrays(layer, parameters, buffers)
    if type(layer) in GATES:
        given = taken(removal.constants[node.inputs[0]], layer)
        return nn.with_arrays(layer, _cut_gates(parameters, kept, given), {})
    if is_depthwise(layer):
        cut = {name: array[kept] for name, array in parameters.items()}
        return _with_options(layer, cut, {}, groups=int(kept.sum()))
    if isinstance(layer, nn.Subsample):
        return _with_options(layer, {}, {}, n_out=int(kept.sum()))
    if isinstance(layer, nn.BatchNorm2d | nn.LayerScale):
        parameters, buffers = (
            {name: array[kept] for name, array in of.items()} for of in (parameters, buffers)
        )
    return nn.with_arrays(layer, parameters, buffers)


def _cut_gates(parameters: Arrays, kept: NDArray[np.bool_], constants: Array) -> Arrays:
    """Squeeze-and-excitation without channels that are constant or not read by it: they add to its bias."""
    reduce, known = parameters["reduce_weight"], np.nan_to_num(constants[~kept]).astype(np.float64)
    bias = parameters["reduce_bias"] + reduce[:, ~kept] @ known
    return {
        "reduce_weight": reduce[:, kept],
        "reduce_bias": bias.astype(reduce.dtype),
        "expand_weight": parameters["expand_weight"][kept],
        "expand_bias": parameters["expand_bias"][kept],
    }


def _with_options(layer: nn.Layer, parameters: Arrays, buffers: Arrays, **changed: Any) -> nn.Layer:
    return make_layer(type(layer).__name__, {**options_of(layer), **changed}, parameters, buffers)
