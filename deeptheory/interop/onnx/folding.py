"""Constants computed from constants: exporters compute paddings and shapes with such operators."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from deeptheory.errors import InputError
from deeptheory.interop.onnx.files import SMALLER, array_of, first_line
from deeptheory.interop.optional_packages import needed
from deeptheory.nn.layers.base import Array
from deeptheory.system.memory import require_memory

WIDEST = 8  # bytes of a number
SPARE = 1 << 20  # numbers that may come of constants in any file
EXPANSION = 4  # numbers that may come of each number in the file, by casts, transpositions and the like


class Allowance:
    """How many numbers may still be computed from the constants of a file, which a few operators could double on.

    Parameters
    ----------
    held : int
        Numbers that are in the file.
    """

    def __init__(self, held: int) -> None:
        self.whole = self.left = EXPANSION * held + SPARE

    def take(self, what: str, size: int) -> None:
        """Refuse what exceeds the allowance or the free memory."""
        self.left -= size
        if self.left < 0:
            found = f"{self.whole - self.left}"
            raise InputError(what, f"at most {self.whole} numbers computed from constants", found, SMALLER)
        require_memory(what, 3 * WIDEST * size, SMALLER)


def _as_large(arrays: Sequence[Array], _: Mapping[str, Any]) -> int:
    return arrays[0].size


def _broadcast(arrays: Sequence[Array], _: Mapping[str, Any]) -> int:
    return math.prod(np.broadcast_shapes(*(array.shape for array in arrays)))


def _joined(arrays: Sequence[Array], _: Mapping[str, Any]) -> int:
    return sum(array.size for array in arrays)


def _filled(arrays: Sequence[Array], _: Mapping[str, Any]) -> int:
    return math.prod(max(0, int(size)) for size in arrays[0].reshape(-1))


def _gathered(arrays: Sequence[Array], attributes: Mapping[str, Any]) -> int:
    length = arrays[0].shape[attributes.get("axis", 0)]
    return int(arrays[1].size * (arrays[0].size // max(1, length)))


# How many numbers come of an operator whose inputs are all constants.
SIZES: dict[str, Callable[[Sequence[Array], Mapping[str, Any]], int]] = {
    "Add": _broadcast,
    "Cast": _as_large,
    "Concat": _joined,
    "ConstantOfShape": _filled,
    "Div": _broadcast,
    "Gather": _gathered,
    "Identity": _as_large,
    "Mul": _broadcast,
    "Reshape": _as_large,
    "Slice": _as_large,
    "Squeeze": _as_large,
    "Sub": _broadcast,
    "Transpose": _as_large,
    "Unsqueeze": _as_large,
}


def folded(
    onnx: Any,
    node: Any,
    attributes: Mapping[str, Any],
    versions: Any,
    inputs: Sequence[Array],
    allowance: Allowance,
) -> Array:
    """The first output of a node, computed by onnx once its size is known to fit into the memory.

    Parameters
    ----------
    onnx : module
    node : NodeProto
    attributes : mapping
    versions : sequence
        Of the sets of operators.
    inputs : sequence of array
        Those that the node names, in their order.
    allowance : Allowance

    Raises
    ------
    InputError
        It would exceed the allowance or the free memory, or the inputs do not fit together.
    """
    what = f"{node.op_type} '{node.name or node.output[0]}'"
    try:
        if node.op_type == "Constant" and "value" in attributes:
            return array_of(onnx, attributes["value"])
        if node.op_type == "Constant" and "sparse_value" in attributes:
            raise InputError(what, "a dense constant", "a sparse one")
        if node.op_type in SIZES:
            allowance.take(what, SIZES[node.op_type](inputs, attributes))
        names = [name for name in node.input if name]
        held = dict(zip(names, inputs, strict=True))
        arrays = [onnx.numpy_helper.from_array(array, name) for name, array in held.items()]
        value = onnx.helper.make_empty_tensor_value_info(node.output[0])
        graph = onnx.helper.make_graph([node], "constant", [], [value], arrays)
        model = onnx.helper.make_model(graph, opset_imports=versions)
        with np.errstate(all="ignore"):
            result: Array = np.asarray(needed("onnx.reference").ReferenceEvaluator(model).run(None, {})[0])
    except InputError:
        raise
    except Exception as error:  # NumPy raises many kinds for numbers that do not fit together
        raise InputError(what, "constants that fit", first_line(error)) from error
    return result
