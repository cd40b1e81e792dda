"""From matched tensors to a network."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.state.adaptive_pooling import POOLED, folded
from deeptheory.interop.state.cct import from_rows
from deeptheory.interop.state.centred_shortcuts import zeros_behind
from deeptheory.interop.state.matching import Matching
from deeptheory.interop.state.same_padding import padded_behind
from deeptheory.interop.torch_modules import BUFFERS, DRAWN
from deeptheory.nn.graph import INPUT
from deeptheory.nn.layers.base import Array, Shape
from deeptheory.nn.layers.normalisation import EPSILON


def converted(matching: Matching, tensors: Mapping[str, Array], norm_epsilon: float = EPSILON) -> nn.Network:
    """The network of a complete matching; its outputs equal PyTorch's in evaluation mode, up to rounding.

    Parameters
    ----------
    matching : Matching
    tensors : mapping of str to array
        Those of the file.
    norm_epsilon : float
        Added to the variance by the batch norms of the file; the difference to ours is added to the running
        variance.

    Notes ----- The bias of a convolution before a batch norm is subtracted from the running mean: the outputs are
    the same, and in training the norm cancels a bias.
    """
    arrays = {
        pair.array: _array(matching, pair.array, tensors[pair.tensor], pair.expected).reshape(pair.expected)
        for pair in matching.pairs
    }
    for bias, mean in folded_biases(matching).items():
        arrays[mean] -= arrays.pop(bias)
    if matching.architecture.centred:
        arrays = zeros_behind(matching.description, arrays)
    for stage in matching.description["stages"]:
        for key, kind, _ in stage["layers"]:
            name = f"{stage['name']}.{key}"
            if kind == "BatchNorm2d" and norm_epsilon != EPSILON:
                variance = arrays[f"{name}.running_var"].astype(np.float64)
                arrays[f"{name}.running_var"] = (variance + norm_epsilon - EPSILON).astype(np.float32)
            elif kind == "SequencePool":
                arrays.pop(f"{name}.bias", None)
            elif kind in ("StochasticDepth", "Dropout"):
                for drawn in DRAWN:
                    arrays.setdefault(f"{name}.{drawn}", np.zeros(1, np.int64))
    is_buffer = {array: array.rpartition(".")[2] in BUFFERS for array in arrays}
    network = nn.build_from_blueprint(
        {**matching.description, "dtype": "float32"},
        {name: array for name, array in arrays.items() if not is_buffer[name]},
        {name: array for name, array in arrays.items() if is_buffer[name]},
    )
    return padded_behind(network) if matching.padded_behind else network


def folded_biases(matching: Matching) -> dict[str, str]:
    """Names of the biases of convolutions that are folded into a running mean, each with the name of that mean."""
    present, folded = {pair.array for pair in matching.pairs}, {}
    inputs = (sources for stage in matching.description["stages"] for sources in stage["inputs"].values())
    read_by_name = {source for sources in inputs for source in sources}
    for stage in matching.description["stages"]:
        for (key, kind, _), (norm, next_kind, _) in itertools.pairwise(stage["layers"]):
            name = f"{stage['name']}.{key}"
            bias, alone = f"{name}.bias", norm not in stage["inputs"] and name not in read_by_name
            if bias in present and alone and (kind, next_kind) == ("Conv2d", "BatchNorm2d"):
                folded[bias] = f"{stage['name']}.{norm}.running_mean"
    return folded


def in_single_precision(network: nn.Network) -> nn.Network:
    """The network with its arrays rounded to float32, the precision of runs."""

    def rounded(named: Mapping[str, Array]) -> dict[str, Array]:
        return {
            name: array.astype(np.float32) if array.dtype == network.dtype else array
            for name, array in named.items()
        }

    description = {**nn.blueprint_of(network), "dtype": "float32"}
    return nn.build_from_blueprint(description, rounded(network.parameters()), rounded(network.buffers()))


def _array(matching: Matching, name: str, tensor: Array, shape: Shape) -> Array:
    """A copy of a tensor; adaptive pooling before a linear layer becomes a part of its weight, rows heads."""
    if matching.architecture.by_rows and name.endswith(".attention.weight"):
        return from_rows(tensor, shape)
    pooled = matching.architecture.pooled.get(name, (POOLED, POOLED))
    return tensor.copy() if pooled == (POOLED, POOLED) else folded(tensor, pooled)


def standardised(network: nn.Network, mean: Sequence[float], deviation: Sequence[float]) -> nn.Network:
    """The network behind a layer that maps pixels p in [0, 1] to (p - mean)/deviation.

    Parameters
    ----------
    network : Network
        A network that expects such pixels; its arrays are shared.
    mean, deviation : sequence of float
        One for each channel, or one for all.

    Raises
    ------
    InputError
        Another number of them, a deviation that is not above 0, or a network that has such a layer already.
    """
    if any(isinstance(node.layer, nn.Standardise) for node in network.nodes):
        found = "one that standardises them itself"
        raise InputError("--mean", "a network without means of its own", found, "leave out --mean and --std")
    channels = network.input_shape[-1]
    for what, values in (("--mean", mean), ("--std", deviation)):
        if len(values) not in (1, channels):
            expected = f"{channels} numbers, one for each channel" if channels > 1 else "one number"
            raise InputError(what, expected, ",".join(f"{value:g}" for value in values))
    scale = np.ones(channels)
    layer = nn.Standardise(
        (2 * np.asarray(mean) * scale - 1).tolist(), (2 * np.asarray(deviation) * scale).tolist()
    )
    first, *others = network.stages
    name = f"{first.name}.standardise"

    def rewired(inputs: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
        return {
            key: tuple(name if source == INPUT else source for source in sources)
            for key, sources in inputs.items()
        }

    layers = {"standardise": layer, **first.layers}
    stages = [nn.Stage(first.name, layers, (), rewired(first.inputs))]
    stages += [nn.Stage(s.name, s.layers, (), rewired(s.inputs)) for s in (*others, network.head)]
    return nn.assemble(stages, network.input_shape, network.dtype)
