"""The cost of a network, counted: parameters, multiply-adds, and the bytes of its arrays and activations."""

import math
from dataclasses import dataclass

import numpy as np

from deeptheory import nn
from deeptheory.nn.graph import INPUT, n_readers
from deeptheory.prune.wiring import ELEMENTWISE


@dataclass(frozen=True)
class Footprint:
    """Counts of one network as it is executed; a mask that is not compacted changes `nonzero` only.

    Attributes
    ----------
    parameters, nonzero : int
        Trained numbers, and those of them that are not zero.
    multiply_adds : int
        Per input, of direct convolutions; a fast algorithm needs fewer. NOT a time.
    array_bytes : int
        Of all parameters and buffers, with the positions of kept kernels.
    activation_bytes : int
        Per input: the largest sum of the outputs that are needed at the same time, layer by layer, with batch
        norm and activations written over their input. Computed, not measured: fused layers need less, and the
        process also holds weights, working memory of the compiled kernels, and outputs that it keeps.
    traffic_bytes : int
        Per input: these outputs, written once, and read once by every layer that takes them.
    """

    parameters: int
    nonzero: int
    multiply_adds: int
    array_bytes: int
    activation_bytes: int
    traffic_bytes: int


def footprint_of(network: nn.Network) -> Footprint:
    """Count the cost of a network."""
    parameters, buffers = network.parameters(), network.buffers()
    return Footprint(
        parameters=sum(array.size for array in parameters.values()),
        nonzero=sum(int(np.count_nonzero(array)) for array in parameters.values()),
        multiply_adds=sum(network.multiply_adds().values()),
        array_bytes=sum(array.nbytes for named in (parameters, buffers) for array in named.values()),
        activation_bytes=_peak(network),
        traffic_bytes=_traffic(network),
    )


def _traffic(network: nn.Network) -> int:
    """Bytes of the outputs that are written and read for one input."""
    names = [
        name
        for node in network.nodes
        if not _over_its_input(network, node)
        for name in (node.name, *node.inputs)
    ]
    return sum(_size(network, name) for name in names)


def _over_its_input(network: nn.Network, node: nn.Node) -> bool:
    """Whether a layer writes over its input: batch norm and activations, where no other layer reads it."""
    return isinstance(node.layer, ELEMENTWISE) and n_readers(network.nodes)[node.inputs[0]] == 1


def _size(network: nn.Network, name: str) -> int:
    shape = network.input_shape if name == INPUT else network.output_shape(name)
    return math.prod(shape) * network.dtype.itemsize


def _peak(network: nn.Network) -> int:
    """Largest sum of the bytes of outputs that are needed at the same time, for one input."""
    last_reader = {name: node.name for node in network.nodes for name in node.inputs}
    held, peak = {INPUT: _size(network, INPUT)}, 0
    for node in network.nodes:
        if _over_its_input(network, node):
            held[node.name] = held.pop(node.inputs[0])
            continue
        held[node.name] = _size(network, node.name)
        peak = max(peak, sum(held.values()))
        for name in node.inputs:
            if last_reader[name] == node.name:
                held.pop(name, None)
    return peak
