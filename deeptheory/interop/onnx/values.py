"""The values of an ONNX graph as outputs of our layers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.onnx.graph import OnnxGraph, Operator
from deeptheory.nn.layer_checks import check_count
from deeptheory.nn.layers.base import Array, Layer, Shape

IMAGES = -1  # the number of the images, beside those of the layers


@dataclass(frozen=True)
class Placed:
    """A layer and its inputs.

    Attributes
    ----------
    layer : Layer
    inputs : tuple of int
        Numbers of the layers whose outputs it takes; `IMAGES` for the images.
    shape : tuple of int
        Of its output for one image: (H, W, C) or (C,).
    """

    layer: Layer
    inputs: tuple[int, ...]
    shape: Shape


@dataclass(frozen=True)
class Waiting:
    """A value that forms a layer only together with its consumer: a sigmoid, or every n-th position.

    Attributes
    ----------
    operator : Operator
    source : int
        Number of the layer whose output it is computed from.
    strides : tuple of int
        Along H and W; empty for a sigmoid.
    """

    operator: Operator
    source: int
    strides: tuple[int, ...] = ()


class Translation:
    """The values of a graph read so far, as outputs of our layers.

    Attributes
    ----------
    constants : dict of array
        Values that do not depend on the images.
    placed : list of Placed
    channels_last : set of str
        Names of the values that are (N, H, W, C) in the file; images are (N, C, H, W) otherwise.
    """

    def __init__(self, graph: OnnxGraph) -> None:
        self.graph, self.constants = graph, dict(graph.constants)
        self.placed: list[Placed] = []
        self.channels_last: set[str] = set()
        self.values: dict[str, int | Waiting] = {graph.input: IMAGES}

    def shape(self, number: int) -> Shape:
        """Shape of a layer's output: (H, W, C) or (C,)."""
        return self.graph.input_shape if number == IMAGES else self.placed[number].shape

    def shape_in_onnx(self, operator: Operator) -> Array:
        """The shape of a value in ONNX; 0 for the batch, which means "unchanged" to a reshape."""
        *positions, channels = self.shape(self.input(operator))
        return np.array([0, channels, *(positions or (1, 1))], np.int64)

    def input(self, operator: Operator, place: int = 0) -> int:
        """Number of the layer whose output an operator takes."""
        self.value(operator, place)
        return self.number(operator.inputs[place])

    def value(self, operator: Operator, place: int = 0) -> int | Waiting:
        """An input of an operator, which may be only a part of a layer (`Waiting`)."""
        name = operator.inputs[place]
        if name not in self.values:
            raise operator.error(f"input {place + 1}", "the output of a layer", f"'{name}'")
        return self.values[name]

    def number(self, name: str) -> int:
        """Number of the layer that computes a value."""
        if name not in self.values:
            raise InputError("output", "what a layer gives", f"'{name}'")
        value = self.values[name]
        if isinstance(value, int):
            return value
        if not value.strides:
            expected = (
                "one that is multiplied with its input (SiLU), or with the input of squeeze-and-excitation"
            )
            raise value.operator.error("output", expected, "another use")
        subsample = nn.Subsample(self.shape(value.source)[-1], same(value.operator, "steps", value.strides))
        return self.place(value.operator, subsample, value.source)

    def constant(self, operator: Operator, place: int) -> Array | None:
        """A constant input in the network's precision; None where it is omitted."""
        if place >= len(operator.inputs) or not operator.inputs[place]:
            return None
        name = operator.inputs[place]
        if name not in self.constants:
            raise operator.error(f"input {place + 1}", "a constant", f"the computed '{name}'")
        array = self.constants[name]
        if not np.issubdtype(array.dtype, np.floating):
            return array
        if not np.isfinite(array).all():
            raise operator.error(f"constant '{name}'", "finite numbers", "others")
        return array.astype(self.graph.dtype)

    def weight(self, operator: Operator, place: int, *shape: int) -> Array:
        """A required constant input of a given shape; -1 stands for any size."""
        array = self.constant(operator, place)
        if array is None or array.ndim != len(shape):
            found = "none" if array is None else f"{array.ndim}"
            raise operator.error(f"axes of input {place + 1}", str(len(shape)), found)
        if any(size not in (-1, actual) for size, actual in zip(shape, array.shape, strict=True)):
            raise operator.error(f"input {place + 1}", f"shape {shape}", f"shape {array.shape}")
        return array

    def place(self, operator: Operator, layer: Layer, *inputs: int) -> int:
        """Add the layer that computes the first output of an operator; returns its number."""
        check_count(len(self.placed) + 1)
        shapes = tuple(self.shape(number) for number in inputs)
        try:
            shape = layer.output_shape(shapes if layer.joins else shapes[0])
        except InputError as error:
            raise operator.error(error.what, error.expected, error.found, error.do) from None
        self.placed.append(Placed(layer, inputs, shape))
        self.values[operator.outputs[0]] = len(self.placed) - 1
        return len(self.placed) - 1


def same(operator: Operator, what: str, numbers: Sequence[int]) -> int:
    """The number that both entries are; an error of the operator if they differ."""
    if len(numbers) != 2 or numbers[0] != numbers[1] or numbers[0] < 1:
        raise operator.error(what, "the same along height and width, at least 1", list(numbers))
    return int(numbers[0])


def check_plain(operator: Operator) -> None:
    """Raise for automatic padding and dilation, which our layers do not have."""
    automatic = operator.attributes.get("auto_pad", b"NOTSET").decode()
    if automatic not in ("NOTSET", "VALID"):
        raise operator.error("padding", "numbers", automatic)
    dilations = operator.attributes.get("dilations", [1, 1])
    if set(dilations) != {1}:
        raise operator.error("dilation", "1", list(dilations))
