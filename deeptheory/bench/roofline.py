"""The least time of a layer on this machine: arithmetic at the measured peak, bytes at the measured rate."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.nn.graph import INPUT, Node, input_to
from deeptheory.nn.layers.base import Layer, Shape
from deeptheory.system.compiled import njit, prange

PRODUCT = 2048  # rows of the matrices, of which blocks stay in the cache: arithmetic is the limit
STREAM = 2**25  # numbers copied, 128 MiB: more than any cache holds
PARTS = 64
REPEATS = 5
FLOAT32 = 4
# F(4x4, 3x3): 36 multiplications for 16 outputs of 9 products each (Lavin & Gray, "Fast algorithms for
# convolutional neural networks"); the transforms, which grow with the sum of the channels only, are not counted.
WINOGRAD = 36 / 144


@dataclass(frozen=True)
class Limits:
    """Measured limits: GFLOP/s of a large float32 product, GB/s of a large copy (read and written)."""

    gflops: float
    gigabytes: float


@dataclass(frozen=True)
class Work:
    """Operations and bytes of one pass through a layer.

    Attributes
    ----------
    direct : float
        Operations (a multiplication and an addition are two), summed as the definition says.
    fewest : float
        The same by Winograd's F(4x4, 3x3) where it applies.
    bytes : float
        Inputs read and outputs written, each once.
    """

    direct: float
    fewest: float
    bytes: float

    def floor(self, limits: Limits) -> float:
        """Seconds."""
        return max(self.fewest / (1e9 * limits.gflops), self.bytes / (1e9 * limits.gigabytes))


def measured_limits() -> Limits:
    """Measure the limits of the machine, with the threads in use."""
    factor = np.ones((PRODUCT, PRODUCT), np.float32)
    source, target = np.ones(STREAM, np.float32), np.zeros(STREAM, np.float32)
    product = _shortest(lambda: factor @ factor)
    copied = _shortest(lambda: _copy(target, source))
    return Limits(2e-9 * PRODUCT**3 / product, 2e-9 * source.nbytes / copied)


def forward_work(nodes: Sequence[Node], shapes: Mapping[str, Shape], batch: int) -> Work:
    """Work of layers computed together: read the input and the parameters, write the output.

    Parameters
    ----------
    nodes : sequence of Node
        Each takes the output of the one before.
    shapes : mapping of str to tuple of int
        `graph.output_shapes`.
    batch : int
    """
    moved = batch * (_inputs(nodes, shapes) + math.prod(shapes[nodes[-1].name])) + _parameters(nodes)
    return _work(nodes, shapes, batch, 1, moved)


def backward_work(nodes: Sequence[Node], shapes: Mapping[str, Shape], batch: int) -> Work:
    """Read input, parameters and the output's gradient, write the gradients of the parameters and the input.

    The gradient of the images is not needed.
    """
    passes = 1 if INPUT in nodes[0].inputs else 2
    moved = batch * (passes * _inputs(nodes, shapes) + math.prod(shapes[nodes[-1].name]))
    return _work(nodes, shapes, batch, passes, moved + 2 * _parameters(nodes))


def _inputs(nodes: Sequence[Node], shapes: Mapping[str, Shape]) -> int:
    return sum(math.prod(shapes[name]) for name in nodes[0].inputs)


def _parameters(nodes: Sequence[Node]) -> int:
    return sum(array.size for node in nodes for array in node.layer.parameters.values())


def _work(nodes: Sequence[Node], shapes: Mapping[str, Shape], batch: int, passes: int, moved: int) -> Work:
    direct = [2.0 * passes * batch * node.layer.multiply_adds(input_to(node, shapes)) for node in nodes]
    shares = [WINOGRAD if _is_winograd(node.layer) else 1.0 for node in nodes]
    fewest = sum(operations * share for operations, share in zip(direct, shares, strict=True))
    return Work(sum(direct), fewest, float(FLOAT32 * moved))


def _is_winograd(layer: Layer) -> bool:
    if not isinstance(layer, nn.Conv2d):
        return False
    return layer.parameters["weight"].shape[2:] == (3, 3) and layer.stride == layer.groups == 1


def _shortest(compute: Callable[[], object]) -> float:
    compute()
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        compute()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


@njit(parallel=True)
def _copy(target: NDArray[np.float32], source: NDArray[np.float32]) -> None:
    part = source.size // PARTS
    for start in prange(PARTS):
        target[start * part : (start + 1) * part] = source[start * part : (start + 1) * part]
