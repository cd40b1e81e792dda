"""Read a network from an ONNX file."""

import os
from collections import Counter
from collections.abc import Sequence

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.onnx.graph import read_graph
from deeptheory.interop.onnx.layers import layers_of
from deeptheory.interop.onnx.values import IMAGES, Placed
from deeptheory.nn.graph import INPUT
from deeptheory.nn.layers.base import Layer
from deeptheory.prune.masked_layers import HEAD
from deeptheory.prune.wiring import mixes

KEYS: dict[type[Layer], str] = {
    nn.AvgPool2d: "pool",
    nn.BatchNorm2d: "norm",
    nn.Concat: "concat",
    nn.Conv2d: "conv",
    nn.Flatten: "flatten",
    nn.GlobalAveragePool: "pool",
    nn.Linear: "linear",
    nn.MaxPool2d: "pool",
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.HardSwish: "hardswish",
    nn.SiLU: "silu",
    nn.LayerNorm: "layer_norm",
    nn.LayerScale: "scale",
    nn.GELU: "gelu",
    nn.TanhGELU: "gelu",
    nn.HardSqueezeExcitation: "squeeze",
    nn.SqueezeExcitation: "squeeze",
    nn.Standardise: "standardise",
    nn.Subsample: "shortcut",
    nn.Sum: "sum",
}
DEPTHWISE, GROUPED = "depthwise", "grouped"  # of one channel in each group, of more
AFTER_GROUPS = (
    nn.BatchNorm2d,
    nn.ReLU,
    nn.ReLU6,
    nn.SiLU,
    nn.HardSwish,
)  # behind it they are named "depthwise_norm" etc.


def read_onnx(path: str | os.PathLike[str], notes: list[str] | None = None) -> nn.Network:
    """The network of a feed-forward ONNX graph.

    Every convolution without groups and every linear layer begins a stage; the following batch norm, activation,
    pooling, convolutions with groups, squeeze-and-excitation and sums belong to it. Flattening belongs to the
    linear layer behind it. The last linear layer is the head. Stages are named stage1, stage2, ... in the order of
    the file. What stands before the convolution of another branch and reads nothing of the stage so far belongs to
    the stage of that convolution.

    Parameters
    ----------
    path : path
        Its input is a batch of images (N, C, H, W), its output that of a linear layer. The pixels are scaled as
        the file expects them: to [-1, 1] only if the network was trained so. Weights in half precision become
        float32, which holds them exactly.
    notes : list of str, optional
        Conversions are appended to it, a line each.

    Raises
    ------
    InputError
        onnx is not installed; a missing or damaged file; operators that are not supported (all of them are named);
        an operator whose attributes no layer of ours has (padding, dilation), by its name.

    Notes
    -----
    For a batch norm with another epsilon than 1e-5 the running variance becomes variance + epsilon - 1e-5, which
    changes nothing in evaluation mode. Constants per channel that are added to the images or multiply them become
    `nn.Standardise`.
    """
    try:
        graph = read_graph(path)
        halves = sum(array.dtype == np.float16 for array in graph.constants.values())
        if halves and notes is not None:
            notes.append(f"{halves} tensors of float16 are converted to {graph.dtype}")
        layers = _with_copies(_needed_for(*layers_of(graph)))
        return nn.assemble(_stages(layers), graph.input_shape, graph.dtype)
    except InputError as error:
        raise InputError(f"{path}, {error.what}", error.expected, error.found, error.do) from error


def _needed_for(layers: Sequence[Placed], last: int) -> list[Placed]:
    """The layers on which layer `last` depends, with it at the end."""
    wanted = {last}
    for number in range(last, -1, -1):
        if number in wanted:
            wanted.update(layers[number].inputs)
    kept = sorted(wanted - {IMAGES})
    numbers = {IMAGES: IMAGES} | {number: new for new, number in enumerate(kept)}
    return [_renumbered(layers[number], numbers) for number in kept]


def _renumbered(placed: Placed, numbers: dict[int, int]) -> Placed:
    return Placed(placed.layer, tuple(numbers[number] for number in placed.inputs), placed.shape)


def _with_copies(layers: Sequence[Placed]) -> list[Placed]:
    """The layers, with a copy (a sum of one) before each that would write over a value that others read."""
    readers = Counter(number for placed in layers for number in placed.inputs)
    copied, numbers = list[Placed](), {IMAGES: IMAGES}
    for number, placed in enumerate(layers):
        placed = _renumbered(placed, numbers)
        source = layers[number].inputs[0]
        if placed.layer.in_place and (source == IMAGES or readers[source] > 1):
            copied.append(Placed(nn.Sum(), placed.inputs, placed.shape))
            placed = Placed(placed.layer, (len(copied) - 1,), placed.shape)
        copied.append(placed)
        numbers[number] = len(copied) - 1
    return copied


def _stages(layers: Sequence[Placed]) -> list[nn.Stage]:
    groups = _groups(layers)
    if not layers or not isinstance(layers[-1].layer, nn.Linear):
        found = KEYS[type(layers[-1].layer)] if layers else "no layer"
        raise InputError("last operator", "a linear layer, which gives the logits", found)
    names, ends, stages = {IMAGES: INPUT}, {IMAGES: INPUT}, []
    for place, group in enumerate(groups):
        name = HEAD if place == len(groups) - 1 else f"stage{place + 1}"
        keys = _keys([layers[number].layer for number in group])
        names |= {number: f"{name}.{key}" for number, key in zip(group, keys, strict=True)}
        inputs = {}
        for number, key in zip(group, keys, strict=True):
            if layers[number].layer.joins or layers[number].inputs != (number - 1,):
                inputs[key] = tuple(ends.get(source, names[source]) for source in layers[number].inputs)
        ends[group[-1]] = name
        made = {key: layers[number].layer for number, key in zip(group, keys, strict=True)}
        stages.append(nn.Stage(name, made, (), inputs))
    return stages


def _groups(layers: Sequence[Placed]) -> list[list[int]]:
    """Numbers of the layers of every stage."""
    groups: list[list[int]] = [[]]
    for number, placed in enumerate(layers):
        if mixes(placed.layer) and any(mixes(layers[other].layer) for other in groups[-1]):
            begun = _begun(layers, groups[-1], placed.inputs)
            groups[-1] = groups[-1][: len(groups[-1]) - len(begun)]
            groups.append(begun)
        groups[-1].append(number)
    return groups


def _begun(layers: Sequence[Placed], group: Sequence[int], inputs: tuple[int, ...]) -> list[int]:
    """The last layers of a group that belong to the next: flattening, or a branch that reads none of the group."""
    if inputs == (group[-1],) and isinstance(layers[group[-1]].layer, nn.Flatten):
        return [group[-1]]
    branch = list[int]()
    for number in reversed(group):
        if inputs != (number,) or mixes(layers[number].layer):
            break
        branch.insert(0, number)
        inputs = layers[number].inputs
    return [] if set(inputs) & set(group) else branch


def _keys(layers: Sequence[Layer]) -> list[str]:
    """Names of the layers of a stage."""
    names, counts, before = list[str](), Counter[str](), ""
    for layer in layers:
        key = KEYS[type(layer)]
        if isinstance(layer, nn.Conv2d) and layer.groups > 1:
            key = before = DEPTHWISE if layer.parameters["weight"].shape[1] == 1 else GROUPED
        elif before and isinstance(layer, AFTER_GROUPS):
            key = f"{before}_{key}"
        counts[key] += 1
        names.append(f"{key}{counts[key]}" if counts[key] > 1 else key)
    return names
