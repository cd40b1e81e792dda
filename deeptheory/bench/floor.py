"""The least time the machine needs for a layer: arithmetic at the measured peak, bytes at the measured rate."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.compiled import njit, prange
from deeptheory.nn.layer import Layer, Shape

PRODUCT = 2048  # side of the matrices: blocks of them stay in the cache, so that arithmetic limits
STREAM = 2**25  # numbers copied, 128 MiB: more than any cache holds
PARTS = 64
REPEATS = 5
FLOAT32 = 4
# F(4x4, 3x3): 36 multiplications for 16 outputs of 9 products each (Lavin & Gray, "Fast algorithms for
# convolutional neural networks"); the transforms, which grow with the sum of the channels only, are not counted.
WINOGRAD = 36 / 144


@dataclass(frozen=True)
class Limits:
    """What the machine reaches: GFLOP/s of a large float32 product, GB/s of a large copy (read and written)."""

    gflops: float
    gigabytes: float


@dataclass(frozen=True)
class Work:
    """What one pass through a layer has to do.

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
    """Measure them, with the threads in use."""
    factor = np.ones((PRODUCT, PRODUCT), np.float32)
    source, target = np.ones(STREAM, np.float32), np.zeros(STREAM, np.float32)
    product = _shortest(lambda: factor @ factor)
    copied = _shortest(lambda: _copy(target, source))
    return Limits(2e-9 * PRODUCT**3 / product, 2e-9 * source.nbytes / copied)


def forward_work(layer: Layer, input_shape: Any, output_shape: Shape, batch: int) -> Work:
    """Read the input and the parameters, write the output."""
    moved = batch * (_size(input_shape) + _size(output_shape)) + n_parameters(layer)
    return _work(layer, input_shape, batch, 1, moved)


def backward_work(
    layer: Layer, input_shape: Any, output_shape: Shape, batch: int, input_gradient: bool = True
) -> Work:
    """Read input, parameters and the output's gradient, write the gradients of the parameters and the input."""
    moved = batch * (_size(input_shape) * (1 + input_gradient) + _size(output_shape))
    return _work(layer, input_shape, batch, 1 + input_gradient, moved + 2 * n_parameters(layer))


def n_parameters(layer: Layer) -> int:
    """Trained numbers of a layer."""
    return sum(array.size for array in layer.parameters.values())


def _work(layer: Layer, input_shape: Any, batch: int, passes: int, moved: int) -> Work:
    direct = 2.0 * passes * batch * layer.multiply_adds(input_shape)
    return Work(direct, direct * (WINOGRAD if _is_winograd(layer) else 1), float(FLOAT32 * moved))


def _size(shape: Any) -> int:
    """Numbers of one input: a shape, or a tuple of shapes for a layer that joins several."""
    return sum(map(_size, shape)) if isinstance(shape[0], tuple) else math.prod(shape)


def _is_winograd(layer: Layer) -> bool:
    return (
        isinstance(layer, nn.Conv2d) and layer.parameters["weight"].shape[2:] == (3, 3) and layer.stride == 1
    )


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
