"""What a network takes, counted: parameters, multiply-adds, and the bytes of its arrays and activations."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deeptheory import nn
from deeptheory.nn.fusion import Step
from deeptheory.nn.graph import INPUT


@dataclass(frozen=True)
class Footprint:
    """Counts of one network as it is executed; a mask that is not compacted changes `nonzero` only.

    Attributes
    ----------
    parameters, nonzero : int
        Trained numbers, and those of them that are not zero.
    multiply_adds : int
        Executed per input, as direct convolutions; a fast algorithm needs fewer. NOT a time.
    array_bytes : int
        Of all parameters and buffers, with the positions of kept kernels.
    activation_bytes : int
        Per input: the largest sum of the outputs that are needed at the same time, layer by layer as they are
        computed (`Network.steps`). Computed, not measured: NOT the memory of the process, which also holds
        weights, working memory of the kernels, and one output per layer that it does not give back.
    traffic_bytes : int
        Per input: all outputs, written once, and read once by everything that takes them.
    """

    parameters: int
    nonzero: int
    multiply_adds: int
    array_bytes: int
    activation_bytes: int
    traffic_bytes: int


def footprint_of(network: nn.Network) -> Footprint:
    """Count what a network takes."""
    parameters, buffers = network.parameters(), network.buffers()
    return Footprint(
        parameters=sum(array.size for array in parameters.values()),
        nonzero=sum(int(np.count_nonzero(array)) for array in parameters.values()),
        multiply_adds=sum(network.multiply_adds().values()),
        array_bytes=sum(array.nbytes for named in (parameters, buffers) for array in named.values()),
        activation_bytes=_peak(network),
        traffic_bytes=sum(read + written for _, read, written in _steps(network)),
    )


def _size(network: nn.Network, name: str) -> int:
    shape = network.input_shape if name == INPUT else network.output_shape(name)
    return math.prod(shape) * network.dtype.itemsize


def _steps(network: nn.Network) -> Iterator[tuple[Step, int, int]]:
    """Every step with the bytes that it reads and writes for one input."""
    for step in network.steps:
        read = sum(_size(network, name) for name in step.nodes[0].inputs)
        yield step, read, _size(network, step.nodes[-1].name)


def _peak(network: nn.Network) -> int:
    """Bytes of the outputs that have to be held at the same time, at their most, for one input."""
    last_reader = {name: number for number, step in enumerate(network.steps) for name in step.nodes[0].inputs}
    held, peak = {INPUT: _size(network, INPUT)}, 0
    for number, (step, _, written) in enumerate(_steps(network)):
        over = step.nodes[0].inputs[0] if step.layer.in_place else ""
        held.pop(over, None)
        held[step.nodes[-1].name] = written
        peak = max(peak, sum(held.values()))
        held = {name: size for name, size in held.items() if last_reader.get(name, number + 1) > number}
    return peak
