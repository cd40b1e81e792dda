"""What every layer offers: forward, backward, and its parameters, gradients and buffers by name."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.nn.kernels import Scratch
from deeptheory.nn.process_groups import ALONE, Group

Array = NDArray[Any]
Shape = tuple[int, ...]


class Layer:
    """One operation of a network; activations are `(N, H, W, C)` or `(N, C)`.

    What `forward` and `backward` return lies in scratch memory and is overwritten by the next call; a
    layer may keep a reference to its input until `backward`.

    Attributes
    ----------
    joins : bool
        Whether it takes several inputs, as a tuple; its `output_shape` takes a tuple of shapes then.
    in_place : bool
        Whether it writes its output over its input, which no other layer may read then.
    parameters, gradients, buffers : dict of arrays
        Trained arrays, their gradients after `backward`, and arrays that are kept but not trained.
    scratch : Scratch
        Results of this layer.
    workspace : Scratch
        Working memory of the kernels; a network lets all its layers share one.
    group : Group
        The processes that have the other parts of a training batch.
    """

    joins: ClassVar[bool] = False
    in_place: ClassVar[bool] = False

    def __init__(self) -> None:
        self.parameters: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}
        self.buffers: dict[str, Array] = {}
        self.scratch = Scratch()
        self.workspace = Scratch()
        self.group: Group = ALONE

    def output_shape(self, input_shape: Any) -> Shape:
        """Shape of the output of one input, without the batch axis; `InputError` if the input does not fit."""
        return input_shape

    def shape_for(self, x: Array) -> Shape:
        """Shape of the output for a batch; an `InputError` names this kind of layer."""
        try:
            return len(x), *self.output_shape(x.shape[1:])
        except InputError as error:
            what = f"{error.what} of {type(self).__name__}"
            raise InputError(what, error.expected, error.found, error.do) from None

    def multiply_adds(self, input_shape: Any) -> int:
        """Multiply-add operations per input; only those with weights are counted."""
        return 0

    def forward(self, x: Any, training: bool = False) -> Array:
        """Output for a batch; `training` matters to layers that treat training batches differently."""
        raise NotImplementedError

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | tuple[Array, ...] | None:
        """Set `gradients` from the gradient `dout` of the output; return that of the input where asked.

        `dout` may be overwritten. A layer that joins several inputs returns one gradient for each of them, or
        a single one that holds for all.
        """
        raise NotImplementedError

    def gradient_memory(self, dout: Array, shape: Shape) -> Array:
        """Memory for a gradient that is read before the next but one is written; `dout` is left alone."""
        for name in ("gradient", "other gradient"):
            memory = self.workspace.array(name, shape, dout.dtype)
            if not np.may_share_memory(memory, dout):
                break
        return memory


class Joined(Layer):
    """Layers that are computed together; they keep the parameters, gradients and buffers."""

    def infer(self, x: Array) -> Array:
        """The output by the running statistics; `backward` cannot follow."""
        raise NotImplementedError

    def take_apart(self) -> Iterator[Array]:
        """Outputs of the layers one by one, after `forward`; each of them is ready for `backward` then."""
        raise NotImplementedError


def check_shape(input_shape: Shape, *expected: int | str, least: tuple[int, int] = (1, 1)) -> None:
    """Refuse an input shape that does not fit.

    Parameters
    ----------
    input_shape : tuple of int
    *expected : int or str
        One for each axis; a letter stands for any size: "H", "W", 16.
    least : (int, int)
        Smallest sizes of the first two of three axes.

    Raises
    ------
    InputError
        With both shapes.
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
