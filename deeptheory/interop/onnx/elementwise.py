"""Operators of ONNX that act on every channel by itself: norms, activations, gates, sums and scales."""

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.onnx import products
from deeptheory.interop.onnx.graph import Operator
from deeptheory.interop.onnx.values import IMAGES, Translation, Waiting
from deeptheory.nn.layers.base import Array, Layer
from deeptheory.nn.layers.normalisation import EPSILON
from deeptheory.nn.rebuilding import make_layer


def layer_norm(graph: Translation, operator: Operator) -> None:
    """A layer norm over the channels."""
    source = graph.input(operator)
    shape, last = graph.shape(source), operator.inputs[0] in graph.channels_last
    if len(shape) > 1 and not last:
        raise operator.error(
            "input", "channels on the last axis", "images (N, C, H, W)", "transpose it before"
        )
    axis = operator.attributes.get("axis", -1)
    if axis not in ((-1, 3) if last else (-1, 1)):
        raise operator.error("axis", "the last", axis)
    weight = graph.weight(operator, 1, shape[-1])
    given = graph.constant(operator, 2) is not None
    bias = graph.weight(operator, 2, shape[-1]) if given else np.zeros_like(weight)
    epsilon = float(operator.attributes.get("epsilon", 1e-5))
    layer = make_layer("LayerNorm", {"epsilon": epsilon}, {"weight": weight, "bias": bias}, {})
    graph.place(operator, layer, source)


def gelu(graph: Translation, operator: Operator) -> None:
    """GELU, exact or by tanh."""
    forms = {b"none": nn.GELU, b"tanh": nn.TanhGELU}
    approximate = operator.attributes.get("approximate", b"none")
    if approximate not in forms:
        raise operator.error("approximate", "none or tanh", approximate.decode())
    graph.place(operator, forms[approximate](), graph.input(operator))


def batch_norm(graph: Translation, operator: Operator) -> None:
    """A batch norm by its stored moments."""
    if operator.attributes.get("training_mode", 0):
        do = "export the network in its evaluation mode"
        raise operator.error("training_mode", "0", 1, do)
    source = graph.input(operator)
    channels = graph.shape(source)[-1]
    weight, bias, mean, variance = (graph.weight(operator, place, channels) for place in (1, 2, 3, 4))
    epsilon = operator.attributes.get("epsilon", EPSILON)
    if np.float32(epsilon) != np.float32(EPSILON):
        variance = (variance.astype(np.float64) + epsilon - EPSILON).astype(variance.dtype)
    buffers = {"running_mean": mean, "running_var": variance}
    graph.place(operator, make_layer("BatchNorm2d", {}, {"weight": weight, "bias": bias}, buffers), source)


def relu(graph: Translation, operator: Operator) -> None:
    """ReLU."""
    graph.place(operator, nn.ReLU(), graph.input(operator))


def clip(graph: Translation, operator: Operator) -> None:
    """ReLU6."""
    ends = [graph.constant(operator, place) for place in (1, 2)]
    found = [None if end is None else float(end) for end in ends]
    if found != [0, 6]:
        raise operator.error("range", "0 to 6 (ReLU6)", f"{found[0]} to {found[1]}")
    graph.place(operator, nn.ReLU6(), graph.input(operator))


def hard_swish(graph: Translation, operator: Operator) -> None:
    """Hard swish."""
    graph.place(operator, nn.HardSwish(), graph.input(operator))


def hard_sigmoid(graph: Translation, operator: Operator) -> None:
    """A hard sigmoid, which waits for what it gates."""
    slope, shift = operator.attributes.get("alpha", 0.2), operator.attributes.get("beta", 0.5)
    if abs(slope - 1 / 6) > 1e-6 or shift != 0.5:
        raise operator.error("alpha and beta", "1/6 and 0.5", f"{slope:g} and {shift:g}")
    sigmoid(graph, operator)


def sigmoid(graph: Translation, operator: Operator) -> None:
    """A sigmoid, which waits for what it gates."""
    graph.values[operator.outputs[0]] = Waiting(operator, graph.input(operator))


def mul(graph: Translation, operator: Operator) -> None:
    """A gate, or one constant for each channel."""
    if any(name in graph.constants for name in operator.inputs):
        standardise(graph, operator)
        return
    for x, factor in ((0, 1), (1, 0)):
        gate, source = graph.value(operator, factor), graph.value(operator, x)
        if not isinstance(gate, Waiting) or gate.strides or isinstance(source, Waiting):
            continue
        hard = gate.operator.kind == "HardSigmoid"
        if gate.source == source:
            graph.place(operator, nn.HardSwish() if hard else nn.SiLU(), source)
            return
        if (layer := _excitation(graph, gate.source, source, hard)) is not None:
            graph.place(operator, layer, source)
            return
    expected = (
        "SiLU (a value with its sigmoid), HardSwish, or squeeze-and-excitation with SiLU inside, or with ReLU "
        "and a hard sigmoid"
    )
    raise operator.error("inputs", expected, ", ".join(f"'{name}'" for name in operator.inputs))


def _excitation(graph: Translation, last: int, source: int, hard: bool) -> Layer | None:
    """Squeeze-and-excitation, if mean, linear, SiLU (`hard`: ReLU), linear layer lead from `source` to `last`."""
    expected = (nn.Linear, nn.ReLU if hard else nn.SiLU, nn.Linear, nn.GlobalAveragePool)
    linear = list[Layer]()
    for kind in expected:
        if last == IMAGES or not isinstance(graph.placed[last].layer, kind):
            return None
        linear += [graph.placed[last].layer] * (kind is nn.Linear)
        last = graph.placed[last].inputs[0]
    if last != source:
        return None
    parameters = {}
    for side, layer in (("reduce", linear[1]), ("expand", linear[0])):
        weight = layer.parameters["weight"]
        parameters[f"{side}_weight"] = np.ascontiguousarray(weight)
        parameters[f"{side}_bias"] = layer.parameters.get("bias", np.zeros(len(weight), weight.dtype))
    return make_layer("HardSqueezeExcitation" if hard else "SqueezeExcitation", {}, parameters, {})


def add(graph: Translation, operator: Operator) -> None:
    """A sum of layers, a bias, or one constant for each channel."""
    constants = [place for place, name in enumerate(operator.inputs) if name in graph.constants]
    if not constants:
        numbers = (graph.input(operator, place) for place in range(len(operator.inputs)))
        graph.place(operator, nn.Sum(), *numbers)
        return
    source, bias = graph.input(operator, 1 - constants[0]), graph.constant(operator, constants[0])
    before = None if source == IMAGES else graph.placed[source]
    last = operator.inputs[1 - constants[0]] in graph.channels_last
    if (
        before is None
        or not isinstance(before.layer, nn.Conv2d if last else nn.Linear)
        or "bias" in before.layer.parameters
    ):
        standardise(graph, operator)
        return
    assert bias is not None
    parameters = before.layer.parameters | {"bias": products.bias_of(operator, bias, before.shape[-1])}
    (products.place_pointwise if last else products.place_linear)(graph, operator, parameters, *before.inputs)


def standardise(graph: Translation, operator: Operator) -> None:
    """One constant for each channel of an image subtracted, added, multiplied or divided by."""
    constants = [place for place, name in enumerate(operator.inputs) if name in graph.constants]
    if not constants or (operator.kind in ("Sub", "Div") and constants != [1]):
        raise operator.error("inputs", "a layer and one constant for each channel", list(operator.inputs))
    source, value = graph.input(operator, 1 - constants[0]), graph.constant(operator, constants[0])
    if operator.kind == "Mul" and source != IMAGES and value is not None and value.size > 1:
        _scale(graph, operator, source, value)
        return
    mean, deviation = np.zeros(graph.shape(source)[-1]), np.ones(graph.shape(source)[-1])
    if source != IMAGES and isinstance(before := graph.placed[source].layer, nn.Standardise):
        mean, deviation = np.array(before.mean), np.array(before.deviation)
        source = graph.placed[source].inputs[0]
    if source != IMAGES:
        raise operator.error("input", "the images, where it is combined with a constant", "another value")
    assert value is not None
    if value.size > 1 and (value.ndim < 3 or value.shape[-3] != value.size or value.size != len(mean)):
        raise operator.error("constant", f"one for each of {len(mean)} channels", f"shape {value.shape}")
    numbers = np.broadcast_to(value.reshape(-1), len(mean)).astype(np.float64)
    if operator.kind in ("Sub", "Add"):
        mean = mean + deviation * (numbers if operator.kind == "Sub" else -numbers)
    else:
        deviation = deviation * (numbers if operator.kind == "Div" else 1 / numbers)
    try:
        layer = nn.Standardise(mean.tolist(), deviation.tolist())
    except InputError as error:
        raise operator.error(error.what, error.expected, error.found) from None
    graph.place(operator, layer, source)


def _scale(graph: Translation, operator: Operator, source: int, value: Array) -> None:
    """One weight for each channel of what a layer gives."""
    shape = graph.shape(source)
    last = len(shape) == 1 or not graph.channels_last.isdisjoint(operator.inputs)
    axes = value.shape if last else value.shape[:-2]
    if axes[-1:] != (value.size,) or value.size != shape[-1]:
        raise operator.error("constant", f"one for each of {shape[-1]} channels", f"shape {value.shape}")
    graph.place(operator, make_layer("LayerScale", {}, {"weight": value.reshape(-1).copy()}, {}), source)
