"""Operators of ONNX that gather, move or drop positions and channels."""

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.onnx.graph import Operator
from deeptheory.interop.onnx.values import Translation, Waiting, check_plain, same

POSITIONS = {2: 0, 3: 1, -2: 0, -1: 1}  # axes H and W of (N, C, H, W), to their index in (H, W)
ENDLESS = 2**31 - 1  # ends of slices from here on mean the end of the axis


def transpose(graph: Translation, operator: Operator) -> None:
    """Images to (N, H, W, C) and back."""
    last = operator.inputs[0] in graph.channels_last
    expected = [0, 3, 1, 2] if last else [0, 2, 3, 1]
    found = list(operator.attributes.get("perm", ()))
    if found != expected and len(graph.shape(graph.input(operator))) != 1:
        raise operator.error("permutation", str(expected), found)
    graph.values[operator.outputs[0]] = graph.input(operator)
    if not last:
        graph.channels_last.add(operator.outputs[0])


def concat(graph: Translation, operator: Operator) -> None:
    """Channels side by side."""
    if operator.attributes.get("axis") not in (1, -3):
        raise operator.error("axis", "1 (the channels)", operator.attributes.get("axis"))
    numbers = (graph.input(operator, place) for place in range(len(operator.inputs)))
    graph.place(operator, nn.Concat(), *numbers)


def pool(graph: Translation, operator: Operator) -> None:
    """Maxima or means of windows."""
    check_plain(operator)
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


def global_pool(graph: Translation, operator: Operator) -> None:
    """The mean over all positions."""
    graph.place(operator, nn.GlobalAveragePool(), graph.input(operator))


def reduce_mean(graph: Translation, operator: Operator) -> None:
    """The mean over all positions."""
    axes = graph.constant(operator, 1)
    axes = operator.attributes.get("axes", ()) if axes is None else axes.tolist()
    if {axis % 4 for axis in axes} != {2, 3}:
        raise operator.error("axes", "2, 3 (all positions)", list(axes))
    global_pool(graph, operator)


def flatten(graph: Translation, operator: Operator) -> None:
    """All positions and channels in one row."""
    if operator.attributes.get("axis", 1) not in (1, -3):
        raise operator.error("axis", "1", operator.attributes["axis"])
    graph.place(operator, nn.Flatten(), graph.input(operator))


def reshape(graph: Translation, operator: Operator) -> None:
    """The same, written as a shape."""
    source, target = graph.input(operator), graph.constant(operator, 1)
    size, batch = int(np.prod(graph.shape(source))), graph.graph.batch
    sizes = [] if target is None else target.tolist()
    if sizes not in ([0, -1], [0, size], [batch, -1], [batch, size], [-1, size]):
        raise operator.error("shape", f"(N, -1) or (-1, {size})", tuple(sizes))
    graph.place(operator, nn.Flatten(), source)


def same_value(graph: Translation, operator: Operator) -> None:
    """What changes nothing."""
    graph.values[operator.outputs[0]] = graph.value(operator)


def new_axis(graph: Translation, operator: Operator) -> None:
    """Axes of length 1 for a value without positions."""
    value = graph.value(operator)
    if len(graph.shape(value.source if isinstance(value, Waiting) else value)) != 1:
        raise operator.error("input", "one number for each channel", f"'{operator.inputs[0]}'")
    same_value(graph, operator)


def take_slice(graph: Translation, operator: Operator) -> None:
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


def pad(graph: Translation, operator: Operator) -> None:
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
