"""Operators of ONNX as our layers, in order of computation, before they are grouped into stages."""

from collections.abc import Callable

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.onnx.gelus import with_gelus
from deeptheory.interop.onnx.graph import OnnxGraph, Operator, check_supported, is_folded
from deeptheory.interop.onnx.values import IMAGES, Placed, Translation, Waiting, same
from deeptheory.nn.layers.base import Array, Layer
from deeptheory.nn.layers.normalisation import EPSILON
from deeptheory.nn.rebuilding import make_layer

POSITIONS = {2: 0, 3: 1, -2: 0, -1: 1}  # axes H and W of (N, C, H, W), to their index in (H, W)
ENDLESS = 2**31 - 1  # ends of slices from here on mean the end of the axis


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


def _check_plain(operator: Operator) -> None:
    """Raise for automatic padding and dilation, which our layers do not have."""
    automatic = operator.attributes.get("auto_pad", b"NOTSET").decode()
    if automatic not in ("NOTSET", "VALID"):
        raise operator.error("padding", "numbers", automatic)
    dilations = operator.attributes.get("dilations", [1, 1])
    if set(dilations) != {1}:
        raise operator.error("dilation", "1", list(dilations))


def _conv(graph: Translation, operator: Operator) -> None:
    _check_plain(operator)
    parameters = {"weight": graph.weight(operator, 1, -1, -1, -1, -1)}
    n_out, _, *size = parameters["weight"].shape
    if graph.constant(operator, 2) is not None:
        parameters["bias"] = graph.weight(operator, 2, n_out)
    pads, strides = operator.attributes.get("pads", [0] * 4), operator.attributes.get("strides", [1, 1])
    groups = operator.attributes.get("group", 1)
    if len(set(pads)) != 1 or pads[0] < 0:
        raise operator.error("padding", "the same on all four sides", list(pads))
    if groups < 1 or n_out % groups:
        raise operator.error("groups", f"a divisor of {n_out} outputs", groups)
    source = graph.input(operator)
    if len(graph.shape(source)) == 1 and size == [1, 1] and groups == 1:
        # After a mean over all positions a 1 x 1 convolution is a matrix product.
        _place_linear(graph, operator, parameters | {"weight": parameters["weight"][:, :, 0, 0]}, source)
        return
    options = {"groups": groups, "stride": same(operator, "stride", strides), "padding": pads[0]}
    graph.place(operator, make_layer("Conv2d", options, parameters, {}), source)


def _gemm(graph: Translation, operator: Operator) -> None:
    if operator.attributes.get("transA", 0):
        raise operator.error("transA", "0", 1)
    weight = graph.weight(operator, 1, -1, -1)
    weight = weight if operator.attributes.get("transB", 0) else weight.T
    factors = operator.attributes.get("alpha", 1.0), operator.attributes.get("beta", 1.0)
    parameters = {"weight": weight if factors[0] == 1 else weight * weight.dtype.type(factors[0])}
    if (bias := graph.constant(operator, 2)) is not None:
        parameters["bias"] = _bias(operator, bias * bias.dtype.type(factors[1]), len(weight))
    _place_linear(graph, operator, parameters, graph.input(operator))


def _matmul(graph: Translation, operator: Operator) -> None:
    source, parameters = graph.input(operator), {"weight": graph.weight(operator, 1, -1, -1).T}
    place = _place_pointwise if operator.inputs[0] in graph.channels_last else _place_linear
    place(graph, operator, parameters, source)


def _bias(operator: Operator, bias: Array, n_out: int) -> Array:
    """One number for each output; a single number is repeated."""
    if bias.size not in (1, n_out) or bias.shape[-1:] not in ((), (1,), (n_out,)):
        raise operator.error("bias", f"one for each of {n_out} outputs", f"shape {bias.shape}")
    return np.broadcast_to(bias.reshape(-1), n_out).copy()


def _place_linear(graph: Translation, operator: Operator, parameters: dict[str, Array], *inputs: int) -> None:
    weight = np.ascontiguousarray(parameters["weight"])
    graph.place(operator, make_layer("Linear", {}, parameters | {"weight": weight}, {}), *inputs)


def _place_pointwise(
    graph: Translation, operator: Operator, parameters: dict[str, Array], *inputs: int
) -> None:
    """A matrix that acts on the channels of every position."""
    weight = np.ascontiguousarray(parameters["weight"].reshape(*parameters["weight"].shape[:2], 1, 1))
    layer = make_layer(
        "Conv2d", {"groups": 1, "stride": 1, "padding": 0}, parameters | {"weight": weight}, {}
    )
    graph.place(operator, layer, *inputs)


def _transpose(graph: Translation, operator: Operator) -> None:
    """Images to (N, H, W, C) and back."""
    last = operator.inputs[0] in graph.channels_last
    expected = [0, 3, 1, 2] if last else [0, 2, 3, 1]
    found = list(operator.attributes.get("perm", ()))
    if found != expected and len(graph.shape(graph.input(operator))) != 1:
        raise operator.error("permutation", str(expected), found)
    graph.values[operator.outputs[0]] = graph.input(operator)
    if not last:
        graph.channels_last.add(operator.outputs[0])


def _layer_norm(graph: Translation, operator: Operator) -> None:
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


def _gelu(graph: Translation, operator: Operator) -> None:
    forms = {b"none": nn.GELU, b"tanh": nn.TanhGELU}
    approximate = operator.attributes.get("approximate", b"none")
    if approximate not in forms:
        raise operator.error("approximate", "none or tanh", approximate.decode())
    graph.place(operator, forms[approximate](), graph.input(operator))


def _batch_norm(graph: Translation, operator: Operator) -> None:
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


def _relu(graph: Translation, operator: Operator) -> None:
    graph.place(operator, nn.ReLU(), graph.input(operator))


def _clip(graph: Translation, operator: Operator) -> None:
    ends = [graph.constant(operator, place) for place in (1, 2)]
    found = [None if end is None else float(end) for end in ends]
    if found != [0, 6]:
        raise operator.error("range", "0 to 6 (ReLU6)", f"{found[0]} to {found[1]}")
    graph.place(operator, nn.ReLU6(), graph.input(operator))


def _hard_swish(graph: Translation, operator: Operator) -> None:
    graph.place(operator, nn.HardSwish(), graph.input(operator))


def _hard_sigmoid(graph: Translation, operator: Operator) -> None:
    slope, shift = operator.attributes.get("alpha", 0.2), operator.attributes.get("beta", 0.5)
    if abs(slope - 1 / 6) > 1e-6 or shift != 0.5:
        raise operator.error("alpha and beta", "1/6 and 0.5", f"{slope:g} and {shift:g}")
    _sigmoid(graph, operator)


def _sigmoid(graph: Translation, operator: Operator) -> None:
    graph.values[operator.outputs[0]] = Waiting(operator, graph.input(operator))


def _mul(graph: Translation, operator: Operator) -> None:
    if any(name in graph.constants for name in operator.inputs):
        _standardise(graph, operator)
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


def _add(graph: Translation, operator: Operator) -> None:
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
        _standardise(graph, operator)
        return
    assert bias is not None
    parameters = before.layer.parameters | {"bias": _bias(operator, bias, before.shape[-1])}
    (_place_pointwise if last else _place_linear)(graph, operator, parameters, *before.inputs)


def _concat(graph: Translation, operator: Operator) -> None:
    if operator.attributes.get("axis") not in (1, -3):
        raise operator.error("axis", "1 (the channels)", operator.attributes.get("axis"))
    numbers = (graph.input(operator, place) for place in range(len(operator.inputs)))
    graph.place(operator, nn.Concat(), *numbers)


def _standardise(graph: Translation, operator: Operator) -> None:
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


def _pool(graph: Translation, operator: Operator) -> None:
    _check_plain(operator)
    size = same(operator, "kernel", operator.attributes["kernel_shape"])
    stride = same(operator, "stride", operator.attributes.get("strides", [1, 1]))
    pads = operator.attributes.get("pads", [0] * 4)
    if any(pads) and operator.kind == "AveragePool":
        raise operator.error("padding", "none", list(pads))
    if len(set(pads)) != 1:
        raise operator.error("padding", "the same on all four sides", list(pads))
    padding = pads[0]
    source = graph.input(operator)
    rest = [(length + 2 * padding - size) % stride for length in graph.shape(source)[:-1]]
    ceil_mode = bool(operator.attributes.get("ceil_mode", 0)) and any(rest)
    if ceil_mode and operator.kind == "AveragePool":
        raise operator.error("ceil_mode", "0", 1)
    try:
        layer = (
            nn.MaxPool2d(size, stride, padding, ceil_mode)
            if operator.kind == "MaxPool"
            else nn.AvgPool2d(size, stride)
        )
    except InputError as error:
        raise operator.error("padding", error.expected, error.found) from None
    graph.place(operator, layer, source)


def _global_pool(graph: Translation, operator: Operator) -> None:
    graph.place(operator, nn.GlobalAveragePool(), graph.input(operator))


def _reduce_mean(graph: Translation, operator: Operator) -> None:
    axes = graph.constant(operator, 1)
    axes = operator.attributes.get("axes", ()) if axes is None else axes.tolist()
    if {axis % 4 for axis in axes} != {2, 3}:
        raise operator.error("axes", "2, 3 (all positions)", list(axes))
    _global_pool(graph, operator)


def _flatten(graph: Translation, operator: Operator) -> None:
    if operator.attributes.get("axis", 1) not in (1, -3):
        raise operator.error("axis", "1", operator.attributes["axis"])
    graph.place(operator, nn.Flatten(), graph.input(operator))


def _reshape(graph: Translation, operator: Operator) -> None:
    source, target = graph.input(operator), graph.constant(operator, 1)
    size, batch = int(np.prod(graph.shape(source))), graph.graph.batch
    sizes = [] if target is None else target.tolist()
    if sizes not in ([0, -1], [0, size], [batch, -1], [batch, size], [-1, size]):
        raise operator.error("shape", f"(N, -1) or (-1, {size})", tuple(sizes))
    graph.place(operator, nn.Flatten(), source)


def _same_value(graph: Translation, operator: Operator) -> None:
    graph.values[operator.outputs[0]] = graph.value(operator)


def _new_axis(graph: Translation, operator: Operator) -> None:
    """Axes of length 1 for a value without positions."""
    value = graph.value(operator)
    if len(graph.shape(value.source if isinstance(value, Waiting) else value)) != 1:
        raise operator.error("input", "one number for each channel", f"'{operator.inputs[0]}'")
    _same_value(graph, operator)


def _slice(graph: Translation, operator: Operator) -> None:
    """Every n-th position along height and width; PyTorch's exporter slices one axis after the other."""
    value = graph.value(operator)
    source, strides = (value, [1, 1]) if isinstance(value, int) else (value.source, list(value.strides))
    shape = graph.shape(source)
    if len(shape) != 3 or not strides:
        raise operator.error("input", "positions of an image", f"'{operator.inputs[0]}'")
    given = (graph.constant(operator, place) for place in (1, 2, 3, 4))
    starts, ends, axes, steps = (None if array is None else array.tolist() for array in given)
    if starts is None or ends is None:
        raise operator.error("inputs", "starts and ends", "none")
    axes, steps = axes or list(range(len(starts))), steps or [1] * len(starts)
    lengths = np.inf, shape[2], *shape[:2]  # of (N, C, H, W)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if (
            start != 0
            or end < min(lengths[axis], ENDLESS)
            or step < 1
            or (step > 1 and axis not in POSITIONS)
        ):
            expected = "every n-th position from the first to the last"
            raise operator.error("range", expected, f"{start}:{end}:{step} of axis {axis}")
        if axis in POSITIONS:
            strides[POSITIONS[axis]] *= step
    graph.values[operator.outputs[0]] = Waiting(operator, source, tuple(strides))


def _pad(graph: Translation, operator: Operator) -> None:
    """Channels of zeros behind the others, after a slice or alone."""
    value, pads, fill = (
        graph.value(operator),
        graph.constant(operator, 1),
        graph.constant(operator, 2),
    )
    source, strides = (value, (1, 1)) if isinstance(value, int) else (value.source, value.strides)
    plain = operator.attributes.get("mode", b"constant") == b"constant" and (fill is None or not fill.any())
    sizes = [] if pads is None else pads.tolist()
    if (
        not plain
        or not strides
        or len(sizes) != 8
        or any(sizes[:5])
        or any(sizes[6:])
        or len(operator.inputs) > 3
    ):
        raise operator.error("padding", "zeros behind the channels, and nowhere else", sizes)
    layer = nn.Subsample(graph.shape(source)[-1] + sizes[5], same(operator, "steps", strides))
    graph.place(operator, layer, source)


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
    "Add": _add,
    "AveragePool": _pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "Div": _standardise,
    "Dropout": _same_value,
    "Flatten": _flatten,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Identity": _same_value,
    "LayerNormalization": _layer_norm,
    "MatMul": _matmul,
    "MaxPool": _pool,
    "Mul": _mul,
    "Pad": _pad,
    "ReduceMean": _reduce_mean,
    "Relu": _relu,
    "Reshape": _reshape,
    "Sigmoid": _sigmoid,
    "Slice": _slice,
    "Sub": _standardise,
    "Sum": _add,
    "Transpose": _transpose,
    "Unsqueeze": _new_axis,
}
