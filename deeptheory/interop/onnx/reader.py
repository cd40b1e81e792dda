"""A network out of an ONNX file."""

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

KEYS: dict[type[Layer], str] = {
    nn.AvgPool2d: "pool",
    nn.BatchNorm2d: "norm",
    nn.Conv2d: "conv",
    nn.Flatten: "flatten",
    nn.GlobalAveragePool: "pool",
    nn.Linear: "linear",
    nn.MaxPool2d: "pool",
    nn.ReLU: "relu",
    nn.SiLU: "silu",
    nn.SqueezeExcitation: "squeeze",
    nn.Standardise: "standardise",
    nn.Subsample: "shortcut",
    nn.Sum: "sum",
}
DEPTHWISE = "depthwise"
AFTER_DEPTHWISE = (nn.BatchNorm2d, nn.ReLU, nn.SiLU)  # are called after it: "depthwise_norm"


def read_onnx(path: str | os.PathLike[str], notes: list[str] | None = None) -> nn.Network:
    """The network of a feed-forward ONNX graph, with stages as the theory counts them.

    Every convolution without groups and every linear layer begins a stage, what follows belongs to it: batch
    norm, activation, pooling, convolutions with groups, squeeze-and-excitation, sums. Flattening belongs to the
    linear layer behind it. The last linear layer is the head. Stages are called stage1, stage2, ... in the order
    of the file.

    Parameters
    ----------
    path : path
        Its input is a batch of images (N, C, H, W), its output that of a linear layer. The images of the network
        are the same numbers as those of the file: pixels scaled to [-1, 1] only if it was trained with such.
        Weights in half precision become float32, which holds them exactly.
    notes : list of str, optional
        Gets a line for what was converted, for people.

    Raises
    ------
    InputError
        onnx is not installed; a missing or damaged file; operators that are not supported, of which all are named;
        one that no layer of ours can express (another padding, dilation), by its name.

    Notes
    -----
    Batch norm with another epsilon than ours gets it through its running variance, variance + epsilon - 1e-5,
    which changes nothing in evaluation mode. What is subtracted from the images, added
    to them or a factor of them, one constant for each channel, becomes `nn.Standardise`.
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
    """The layers that one of them depends on, which becomes the last of them."""
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
    """The layers with a copy (a sum of one) before each that would write over what others read."""
    readers = Counter(number for placed in layers for number in placed.inputs)
    found, numbers = list[Placed](), {IMAGES: IMAGES}
    for number, placed in enumerate(layers):
        placed = _renumbered(placed, numbers)
        source = layers[number].inputs[0]
        if placed.layer.in_place and (source == IMAGES or readers[source] > 1):
            found.append(Placed(nn.Sum(), placed.inputs, placed.shape))
            placed = Placed(placed.layer, (len(found) - 1,), placed.shape)
        found.append(placed)
        numbers[number] = len(found) - 1
    return found


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
        if _mixes(placed.layer) and any(_mixes(layers[other].layer) for other in groups[-1]):
            last = groups[-1][-1]
            flat = isinstance(layers[last].layer, nn.Flatten) and placed.inputs == (last,)
            groups.append([groups[-1].pop()] if flat else [])
        groups[-1].append(number)
    return groups


def _mixes(layer: Layer) -> bool:
    """Whether a layer mixes filters, so that it begins a stage."""
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)


def _keys(layers: Sequence[Layer]) -> list[str]:
    """Names of the layers of a stage."""
    found, after_depthwise = list[str](), False
    for layer in layers:
        key = KEYS[type(layer)]
        if isinstance(layer, nn.Conv2d) and layer.groups > 1:
            key, after_depthwise = DEPTHWISE, True
        elif after_depthwise and isinstance(layer, AFTER_DEPTHWISE):
            key = f"{DEPTHWISE}_{key}"
        same = sum(other.rstrip("0123456789") == key for other in found)
        found.append(f"{key}{same + 1}" if same else key)
    return found
