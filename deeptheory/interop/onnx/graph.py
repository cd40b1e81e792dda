"""The graph in an ONNX file: its input, its constants, and the operators between input and output, in order."""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeptheory.errors import InputError
from deeptheory.interop.onnx.files import array_of, read_model
from deeptheory.interop.onnx.folding import SIZES, Allowance, folded
from deeptheory.interop.optional_packages import needed
from deeptheory.nn.layers.base import Array, Shape

DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True)
class Operator:
    """One operator.

    Attributes
    ----------
    kind, name : str
        "Conv", and its name in error messages; that of its first output where it has none.
    inputs, outputs : sequence of str
        Names of values; "" for an omitted input.
    attributes : dict
    fold : function
        Computes its first output from the constants by name.
    """

    kind: str
    name: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: dict[str, Any]
    fold: Callable[[dict[str, Array]], Array]

    def error(self, what: str, expected: str, found: Any, do: str = "") -> InputError:
        """An error about a part of this operator."""
        return InputError(f"{what} of {self.kind} '{self.name}'", expected, str(found), do)


@dataclass(frozen=True)
class OnnxGraph:
    """A graph of one input and one output.

    Attributes
    ----------
    operators : list of Operator
        Those that the output depends on, in order of computation.
    constants : dict of array
    input, output : str
        Names of their values.
    batch : int
        Number of images that the file was written for; 0 where any number is allowed.
    input_shape : (H, W, C)
    dtype : dtype
        float32 or float64; half precision becomes float32.
    """

    operators: list[Operator]
    constants: dict[str, Array]
    input: str
    output: str
    batch: int
    input_shape: Shape
    dtype: np.dtype[Any]


def read_graph(path: str | os.PathLike[str]) -> OnnxGraph:
    """Read and check an ONNX file, with its external data if it has any.

    Raises
    ------
    InputError
        onnx is not installed; the file or its external data are missing or damaged; its input is not a batch of
        images of a fixed size, or it has several outputs.
    """
    onnx, model = needed("onnx"), read_model(path)
    graph = model.graph
    constants = {tensor.name: array_of(onnx, tensor) for tensor in graph.initializer}
    entry = _only("input", [value for value in graph.input if value.name not in constants])
    exit_ = _only("output", graph.output)
    batch, shape = _image_shape(entry)
    allowance = Allowance(sum(array.size for array in constants.values()))
    operators = [
        _operator(onnx, node, model.opset_import, allowance) for node in _needed_for(exit_.name, graph.node)
    ]
    return OnnxGraph(operators, constants, entry.name, exit_.name, batch, shape, _dtype(onnx, entry))


def check_supported(
    operators: Sequence[Operator], constants: Collection[str], supported: Collection[str]
) -> None:
    """Raise if operators are neither supported nor computed from constants alone; the error names all of them."""
    constant, unknown = set(constants), set[str]()
    for operator in operators:
        if is_folded(operator, constant):
            constant |= set(operator.outputs)
        elif operator.kind not in supported:
            unknown.add(operator.kind)
    if unknown:
        known = ", ".join(sorted(supported))
        raise InputError("operators", f"only {known}", ", ".join(sorted(unknown)))


def is_folded(operator: Operator, constant: Collection[str]) -> bool:
    """Whether the output is a constant: all inputs are in `constant`, or it is the shape of a value."""
    if operator.kind in ("Constant", "Shape"):
        return True
    return operator.kind in SIZES and all(name in constant for name in operator.inputs if name)


def _only(what: str, values: Sequence[Any]) -> Any:
    if len(values) != 1:
        raise InputError(f"{what}s", "one", ", ".join(f"'{value.name}'" for value in values) or "none")
    return values[0]


def _image_shape(value: Any) -> tuple[int, Shape]:
    """The size of the batch, 0 if it is not fixed, and (H, W, C)."""
    sizes = [axis.dim_value or axis.dim_param or "?" for axis in value.type.tensor_type.shape.dim]
    if len(sizes) != 4 or not all(isinstance(size, int) and size > 0 for size in sizes[1:]):
        expected = "images (N, C, H, W) with fixed C, H and W"
        raise InputError(f"input '{value.name}'", expected, f"({', '.join(map(str, sizes))})")
    n, channels, height, width = (size if isinstance(size, int) else 0 for size in sizes)
    return n, (height, width, channels)


def _dtype(onnx: Any, value: Any) -> np.dtype[Any]:
    kinds = {"FLOAT": np.float32, "FLOAT16": np.float32, "DOUBLE": np.float64}
    kind = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
    if kind not in kinds:
        raise InputError(f"input '{value.name}'", f"one of {', '.join(kinds)}", kind)
    return np.dtype(kinds[kind])


def _needed_for(output: str, nodes: Sequence[Any]) -> list[Any]:
    """The nodes that an output depends on, in their order."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted |= set(node.input)
            kept.append(node)
    return kept[::-1]


def _operator(onnx: Any, node: Any, versions: Any, allowance: Allowance) -> Operator:
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    kind = node.op_type if node.domain in DOMAINS else f"{node.domain}.{node.op_type}"

    def fold(constants: dict[str, Array]) -> Array:
        arrays = [constants[name] for name in node.input if name]
        return folded(onnx, node, attributes, versions, arrays, allowance)

    return Operator(kind, node.name or node.output[0], node.input, node.output, attributes, fold)
