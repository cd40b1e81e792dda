"""The interface of every layer: forward, backward, and its parameters, gradients and buffers by name."""

import functools
import math
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.nn.kernels import Scratch
from deeptheory.nn.process_groups import ALONE, Group

Array = NDArray[Any]  # float32 or float64, as the network has it; buffers may hold integers
Shape = tuple[int, ...]
LITTLE = 1 << 18  # numbers of a gradient that gets memory of its own


class Layer:
    """One operation of a network; activations are `(N, H, W, C)` or `(N, C)`.

    `forward` and `backward` return scratch memory, which the next call overwrites. A layer may keep a reference to
    its input until `backward`.

    Attributes
    ----------
    joins : bool
        Whether it takes several inputs, as a tuple; then `output_shape` takes a tuple of shapes.
    in_place : bool
        Whether it overwrites its input, which then no other layer may read.
    keeps_gradients : bool
        Whether the gradients of its inputs, but for the first, stay as they are until the next `backward`.
    parameters, gradients, buffers : dict of arrays
        Trained arrays, their gradients after `backward`, and the other arrays of its state.
    scratch : Scratch
        Memory for the results of this layer.
    workspace : Scratch
        Working memory of the compiled kernels, shared by all layers of a network.
    group : Group
        The processes that train on parts of the same batch.
    """

    joins: ClassVar[bool] = False
    in_place: ClassVar[bool] = False
    keeps_gradients: ClassVar[bool] = False

    def __init__(self) -> None:
        self.parameters: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}
        self.buffers: dict[str, Array] = {}
        self.scratch = Scratch()
        self.workspace = Scratch()
        self.group: Group = ALONE

    def output_shape(self, input_shape: Any) -> Shape:
        """Shape of the output of one input, without the batch axis; `InputError` if the input does not fit."""
        same: Shape = input_shape
        return same

    def shape_for(self, x: Array) -> Shape:
        """Shape of the output for a batch; its `InputError` names the kind of layer."""
        try:
            return len(x), *self.output_shape(x.shape[1:])
        except InputError as error:
            what = f"{error.what} of {type(self).__name__}"
            raise InputError(what, error.expected, error.found, error.do) from None

    def multiply_adds(self, input_shape: Any) -> int:
        """Multiply-add operations per input; only those with weights count."""
        return 0

    def forward(self, x: Any, training: bool = False) -> Array:
        """Output for a batch; some layers treat training batches differently."""
        raise NotImplementedError

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | tuple[Array | None, ...] | None:
        """Set `gradients` from the gradient `dout` of the output; return that of the input if `input_gradient`.

        `dout` may be overwritten. A layer that joins several inputs returns one gradient for each of them, or
        a single one if it is the same for all.
        """
        raise NotImplementedError

    def gradient_memory(self, dout: Array, shape: Shape) -> Array:
        """One of two shared memories for gradients, the one that `dout` does not use; own memory for a small one.

        A part of what layers of different shapes share was last written by another thread for another layer, and
        has to be fetched from that one's cache, which weighs where layers are small.
        """
        if math.prod(shape) <= LITTLE:
            return self.scratch.array("gradient of the input", shape, dout.dtype)
        for name in ("gradient", "other gradient"):
            memory = self.workspace.array(name, shape, dout.dtype)
            if not np.may_share_memory(memory, dout):
                break
        return memory


class Joined(Layer):
    """Layers that are computed together; they keep the parameters, gradients and buffers."""

    def infer(self, x: Array) -> Array:
        """The output, normalised by the running statistics; `backward` cannot follow."""
        raise NotImplementedError

    def take_apart(self) -> Iterator[Array]:
        """Outputs of the layers one by one, after `forward`; afterwards each layer is ready for its `backward`."""
        raise NotImplementedError


@functools.lru_cache(1024)
def convolved_shape(
    input_shape: Shape, size: tuple[int, int], n_in: int | str, n_out: int, stride: int, padding: int
) -> Shape:
    """Shape of the output of a convolution or pooling by that size; `InputError` if the input does not fit."""
    least = size[0] - 2 * padding, size[1] - 2 * padding
    check_shape(input_shape, "H", "W", n_in, least=least)
    height, width = (
        (axis + 2 * padding - k) // stride + 1 for axis, k in zip(input_shape, size, strict=False)
    )
    return height, width, n_out


def check_shape(input_shape: Shape, *expected: int | str, least: tuple[int, int] = (1, 1)) -> None:
    """Raise an error for an input shape that does not fit.

    Parameters
    ----------
    input_shape : tuple of int
    *expected : int or str
        Size of each axis, or a letter for any size: "H", "W", 16.
    least : (int, int)
        Smallest sizes of the first two axes, if there are three.

    Raises
    ------
    InputError
        It names both shapes.
    """
    sizes_fit = len(input_shape) == len(expected) and all(
        isinstance(axis, str) or axis == size for axis, size in zip(expected, input_shape, strict=True)
    )
    large_enough = len(input_shape) != 3 or all(
        size >= bound for size, bound in zip(input_shape, least, strict=False)
    )
    if sizes_fit and large_enough:
        return
    text = f"shape ({', '.join(map(str, expected))}{',' * (len(expected) == 1)})"
    bounds = [f"{axis} >= {bound}" for axis, bound in zip(expected, least, strict=False) if bound > 1]
    if bounds:
        text += f" with {' and '.join(bounds)}"
    do = "use larger images or a network with fewer poolings" if sizes_fit else ""
    raise InputError("input", text, f"shape {tuple(input_shape)}", do)
