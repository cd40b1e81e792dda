"""Operators of ONNX as our layers, in order of computation, before they are grouped into stages."""

from collections.abc import Callable

from deeptheory.errors import InputError
from deeptheory.interop.onnx import elementwise, products, shapes
from deeptheory.interop.onnx.gelus import with_gelus
from deeptheory.interop.onnx.graph import OnnxGraph, Operator, check_supported, is_folded
from deeptheory.interop.onnx.values import Placed, Translation


def layers_of(graph: OnnxGraph) -> tuple[list[Placed], int]:
    """The layers of an ONNX graph, and the number of the layer that computes its output.

    Some layers may not be needed for the output.

    Raises
    ------
    InputError
        Operators that are not supported (all of them are named), or whose attributes no layer of ours has.
    """
    operators = with_gelus(graph.operators, graph.constants)
    check_supported(operators, graph.constants, HANDLERS)
    translation = Translation(graph)
    for operator in operators:
        if not is_folded(operator, translation.constants):
            _handle(translation, operator)
            continue
        if translation.constants.keys() >= set(filter(None, operator.inputs)):
            value = operator.fold(translation.constants)
        else:
            value = translation.shape_in_onnx(operator)
        translation.constants[operator.outputs[0]] = value
    return translation.placed, translation.number(graph.output)


def _handle(translation: Translation, operator: Operator) -> None:
    last = not translation.channels_last.isdisjoint(operator.inputs)
    if last and operator.kind not in CHANNELS_LAST:
        do = "transpose it back before"
        raise operator.error("input", "images (N, C, H, W)", "images (N, H, W, C)", do)
    try:
        HANDLERS[operator.kind](translation, operator)
    except InputError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        found = f"others ({type(error).__name__}: {error})"
        raise operator.error("inputs and attributes", "those that ONNX defines", found) from error
    if last and operator.kind != "Transpose":
        translation.channels_last.update(operator.outputs)


CHANNELS_LAST = (
    "Add",
    "Dropout",
    "Gelu",
    "Identity",
    "LayerNormalization",
    "MatMul",
    "Mul",
    "Relu",
    "Transpose",
)
HANDLERS: dict[str, Callable[[Translation, Operator], None]] = {
    "Add": elementwise.add,
    "AveragePool": shapes.pool,
    "BatchNormalization": elementwise.batch_norm,
    "Clip": elementwise.clip,
    "Concat": shapes.concat,
    "Conv": products.conv,
    "Div": elementwise.standardise,
    "Dropout": shapes.same_value,
    "Flatten": shapes.flatten,
    "Gelu": elementwise.gelu,
    "Gemm": products.gemm,
    "GlobalAveragePool": shapes.global_pool,
    "HardSigmoid": elementwise.hard_sigmoid,
    "HardSwish": elementwise.hard_swish,
    "Identity": shapes.same_value,
    "LayerNormalization": elementwise.layer_norm,
    "MatMul": products.matmul,
    "MaxPool": shapes.pool,
    "Mul": elementwise.mul,
    "Pad": shapes.pad,
    "ReduceMean": shapes.reduce_mean,
    "Relu": elementwise.relu,
    "Reshape": shapes.reshape,
    "Sigmoid": elementwise.sigmoid,
    "Slice": shapes.take_slice,
    "Sub": elementwise.standardise,
    "Sum": elementwise.add,
    "Transpose": shapes.transpose,
    "Unsqueeze": shapes.new_axis,
}
