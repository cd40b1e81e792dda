"""MobileNet v2 of Sandler et al., v3 of Howard et al., "Searching for MobileNetV3", and EfficientNet-Lite0."""

from collections.abc import Sequence
from typing import NamedTuple

from deeptheory.nn.architectures import efficientnet
from deeptheory.nn.architectures.builder import Builder
from deeptheory.nn.layers.activations import activation
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.pooling import GlobalAveragePool
from deeptheory.nn.layers.residual import Sum
from deeptheory.nn.layers.squeeze_excitation import HardSqueezeExcitation


class Bottleneck(NamedTuple):
    """One inverted bottleneck.

    Attributes
    ----------
    size : int
        Of its depthwise kernels.
    expanded, filters : int
        Numbers of filters inside and of its output.
    squeezed : bool
        Whether it has squeeze-and-excitation.
    activation : str
    stride : int
    """

    size: int
    expanded: int
    filters: int
    squeezed: bool
    activation: str
    stride: int


def _with_relu6(*rows: tuple[int, int, int, int, int]) -> tuple[Bottleneck, ...]:
    """Blocks in groups: expansion, filters, repeats, stride of the first of them and size of the kernels."""
    blocks, n_in = list[Bottleneck](), 32
    for expansion, filters, repeats, stride, size in rows:
        for repeat in range(repeats):
            step = 1 if repeat else stride
            blocks.append(Bottleneck(size, expansion * n_in, filters, False, "relu6", step))
            n_in = filters
    return tuple(blocks)


V2 = _with_relu6(
    (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3), (6, 96, 3, 1, 3), (6, 160, 3, 2, 3),
    (6, 320, 1, 1, 3),
)  # fmt: skip
LITE0 = _with_relu6(*efficientnet.BLOCKS)
V3_LARGE = tuple(
    Bottleneck(*row)
    for row in (
        (3, 16, 16, False, "relu", 1), (3, 64, 24, False, "relu", 2), (3, 72, 24, False, "relu", 1),
        (5, 72, 40, True, "relu", 2), (5, 120, 40, True, "relu", 1), (5, 120, 40, True, "relu", 1),
        (3, 240, 80, False, "hardswish", 2), (3, 200, 80, False, "hardswish", 1),
        (3, 184, 80, False, "hardswish", 1), (3, 184, 80, False, "hardswish", 1),
        (3, 480, 112, True, "hardswish", 1), (3, 672, 112, True, "hardswish", 1),
        (5, 672, 160, True, "hardswish", 2), (5, 960, 160, True, "hardswish", 1),
        (5, 960, 160, True, "hardswish", 1),
    )
)  # fmt: skip
V3_SMALL = tuple(
    Bottleneck(*row)
    for row in (
        (3, 16, 16, True, "relu", 2), (3, 72, 24, False, "relu", 2), (3, 88, 24, False, "relu", 1),
        (5, 96, 40, True, "hardswish", 2), (5, 240, 40, True, "hardswish", 1),
        (5, 240, 40, True, "hardswish", 1), (5, 120, 48, True, "hardswish", 1),
        (5, 144, 48, True, "hardswish", 1), (5, 288, 96, True, "hardswish", 2),
        (5, 576, 96, True, "hardswish", 1), (5, 576, 96, True, "hardswish", 1),
    )
)  # fmt: skip
WIDEST, HIDDEN_LARGE, HIDDEN_SMALL = 1280, 1280, 1024
SQUEEZE = 4  # channels inside a block for each hidden node of its squeeze-and-excitation
MULTIPLE = 8  # all numbers of channels are multiples of it


def add_mobilenet_v2(builder: Builder, blocks: Sequence[Bottleneck]) -> None:
    """Stem, inverted bottlenecks with ReLU6 and the last 1 x 1 convolution; strides as published at any size.

    EfficientNet-Lite0 is the same with the blocks of EfficientNet-B0, without their squeeze-and-excitation.

    A block is two stages: conv (1 x 1), norm, relu6, depthwise, depthwise_norm, depthwise_relu6; and conv (1 x 1),
    norm, and where it keeps positions and channels at width 1, sum with the output of the stage before the block.
    The first block has no expansion: its depthwise part belongs to the stage of the stem. The last stage ends with
    the mean over positions, `pool`.
    """
    _add_blocks(builder, blocks, 32, "relu6")
    layers = builder.activated(builder.shape[-1], divisible(builder.width * WIDEST), 1, 1, "relu6")
    builder.append(layers | {"pool": GlobalAveragePool()})


def add_mobilenet_v3(builder: Builder, blocks: Sequence[Bottleneck], hidden: int) -> None:
    """The same with HardSwish (ReLU in the first blocks), squeeze-and-excitation, and a hidden layer at the end.

    Parameters
    ----------
    builder : Builder
        Without stages so far.
    blocks : sequence of Bottleneck
    hidden : int
        Nodes of the hidden layer, linear and hardswish.
    """
    _add_blocks(builder, blocks, 16, "hardswish")
    last = divisible(builder.width * blocks[-1].expanded)
    layers = builder.activated(builder.shape[-1], last, 1, 1, "hardswish")
    builder.append(layers | {"pool": GlobalAveragePool()})
    nodes = divisible(builder.width * hidden)
    builder.append({"linear": builder.linear(nodes, bias=True), "hardswish": activation("hardswish")})


def divisible(n: float) -> int:
    """The nearest multiple of 8 (halves up), at least 8 and at least nine tenths of `n`."""
    nearest = max(MULTIPLE, int(n + MULTIPLE / 2) // MULTIPLE * MULTIPLE)
    return nearest + MULTIPLE * (nearest < 0.9 * n)


def _add_blocks(builder: Builder, blocks: Sequence[Bottleneck], stem: int, name: str) -> None:
    n_in = divisible(builder.width * stem)
    layers = builder.activated(builder.shape[-1], n_in, 3, 2, name)
    before, published = f"{builder.upcoming}.{name}", stem
    for number, block in enumerate(blocks):
        n_inside = n_in
        if number > 0:
            before, n_in = builder.last, builder.shape[-1]
            n_inside = divisible(builder.width * block.expanded)
            layers = builder.activated(n_in, n_inside, 1, 1, block.activation)
        builder.append(layers | _depthwise(builder, n_inside, block))
        shortcut = before if block.stride == 1 and published == block.filters else None
        _add_projection(builder, n_inside, divisible(builder.width * block.filters), shortcut)
        published = block.filters


def _depthwise(builder: Builder, n: int, block: Bottleneck) -> dict[str, Layer]:
    layers: dict[str, Layer] = {
        "depthwise": builder.conv(n, n, block.size, block.stride, groups=n),
        "depthwise_norm": builder.norm(n),
        f"depthwise_{block.activation}": activation(block.activation),
    }
    if block.squeezed:
        hidden = divisible(n / SQUEEZE)
        layers["squeeze"] = HardSqueezeExcitation(n, hidden, rng=builder.rng, dtype=builder.dtype)
    return layers


def _add_projection(builder: Builder, n_in: int, n_out: int, shortcut: str | None) -> None:
    layers: dict[str, Layer] = {"conv": builder.conv(n_in, n_out, 1), "norm": builder.norm(n_out)}
    if shortcut:
        builder.append(layers | {"sum": Sum()}, {"sum": (f"{builder.upcoming}.norm", shortcut)})
    else:
        builder.append(layers)
