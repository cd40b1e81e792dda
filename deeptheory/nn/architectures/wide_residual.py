"""The wide residual networks of small images: Zagoruyko & Komodakis, "Wide residual networks"."""

from collections.abc import Iterator
from typing import NamedTuple

from deeptheory.nn.architectures.builder import Builder
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.pooling import GlobalAveragePool
from deeptheory.nn.layers.reshaping import ReLU
from deeptheory.nn.layers.residual import Sum

STEM = 16
FILTERS = (16, 32, 64)  # of the three groups, times the factor of the network
WIDE = {"wrn-16-8": (16, 8), "wrn-28-10": (28, 10), "wrn-40-4": (40, 4)}  # depth and factor


class Block(NamedTuple):
    """Where a block is, and its stages; `shortcut` is "" where that is the identity."""

    group: int
    number: int
    first: str
    shortcut: str
    last: str


def blocks_of(depth: int) -> Iterator[Block]:
    """The blocks in order; the stage of a shortcut comes before the last of its block, which adds it."""
    upcoming = 2
    for group in range(len(FILTERS)):
        for number in range((depth - 4) // 6):
            first, *shortcut, last = (f"stage{upcoming + place}" for place in range(2 + (number == 0)))
            yield Block(group, number, first, shortcut[0] if shortcut else "", last)
            upcoming += 2 + (number == 0)


def add_wide_residual(builder: Builder, depth: int, factor: int) -> None:
    """A 3 x 3 convolution and three groups of blocks of two 3 x 3 convolutions, normed and activated BEFORE each.

    A convolution is a stage with the norm and activation of the next one, conv-norm-relu, the last of a block
    conv-sum-norm-relu. The sum takes the sum of the block before, or, in the first block of a group, a 1 x 1
    convolution of its normed and activated input, which is a stage of its own. That block halves the positions but
    in the first group. The last stage ends with the mean over positions, `pool`. There is no dropout.
    """
    builder.append(builder.activated(builder.shape[-1], builder.scaled(STEM), 3, 1, "relu"))
    before = ""
    *others, last = blocks_of(depth)
    for block in (*others, last):
        stride = 2 if block.group > 0 and block.number == 0 else 1
        n_out, given, n_in = builder.scaled(FILTERS[block.group] * factor), builder.last, builder.shape[-1]
        builder.append(builder.activated(n_in, n_out, 3, stride, "relu"))
        if block.shortcut:
            builder.append({"conv": builder.conv(n_in, n_out, 1, stride)}, {"conv": (given,)})
            before = block.shortcut
        layers: dict[str, Layer] = {"conv": builder.conv(n_out, n_out, 3), "sum": Sum()}
        layers |= {"norm": builder.norm(n_out), "relu": ReLU()}
        inputs = {"conv": (block.first,), "sum": (f"{block.last}.conv", before)}
        builder.append(layers | ({"pool": GlobalAveragePool()} if block == last else {}), inputs)
        before = f"{block.last}.sum"
