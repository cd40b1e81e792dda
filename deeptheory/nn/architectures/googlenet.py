"""GoogLeNet of Szegedy et al., "Going deeper with convolutions", with batch norms, as torchvision has it."""

from typing import NamedTuple

from deeptheory.nn.architectures.builder import Builder
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.pooling import GlobalAveragePool, MaxPool2d
from deeptheory.nn.layers.residual import Concat

STEM = ((64, 7, 2), (64, 1, 1), (192, 3, 1))  # filters, size of the kernel and stride


class Inception(NamedTuple):
    """Filters of the four branches of a block, and of the 1 x 1 convolutions before the second and third.

    Attributes
    ----------
    name : str
        Number and letter in the paper.
    single, reduced, wide, reduced_again, wide_again, pooled : int
        Of the branches 1 x 1; 1 x 1 and 3 x 3; again 1 x 1 and 3 x 3; maximum pooling and 1 x 1.
    """

    name: str
    single: int
    reduced: int
    wide: int
    reduced_again: int
    wide_again: int
    pooled: int


BLOCKS = (
    Inception("3a", 64, 96, 128, 16, 32, 32),
    Inception("3b", 128, 128, 192, 32, 96, 64),
    Inception("4a", 192, 96, 208, 16, 48, 64),
    Inception("4b", 160, 112, 224, 24, 64, 64),
    Inception("4c", 128, 128, 256, 24, 64, 64),
    Inception("4d", 112, 144, 288, 32, 64, 64),
    Inception("4e", 256, 160, 320, 32, 128, 128),
    Inception("5a", 256, 160, 320, 32, 128, 128),
    Inception("5b", 384, 192, 384, 48, 128, 128),
)
POOLED = {"3b": 3, "4e": 2}  # size of the maximum pooling of stride 2 behind a block
STAGES = 6  # of a block, in the order of the filters of `Inception`


def add_googlenet(builder: Builder) -> None:
    """Three convolutions and nine inception blocks; strides and poolings as published at any size of the images.

    A convolution with what follows it is a stage, conv-norm-relu. A block is six: the 1 x 1 convolution of the
    first branch, two for each of the next, and pool-conv-norm-relu, whose last layer `concat` joins the four
    branches, so that its filters are those of the block. The third branch has a 3 x 3 convolution, where the paper
    has 5 x 5. The last stage ends with the mean over positions. There are no auxiliary heads.
    """
    for n_filters, size, stride in STEM:
        layers = builder.activated(builder.shape[-1], builder.scaled(n_filters), size, stride, "relu")
        builder.append(layers | ({} if size == 1 else {"pool": _halving(3)}))
    for block in BLOCKS:
        ending: dict[str, Layer] = {"halved": _halving(POOLED[block.name])} if block.name in POOLED else {}
        _add_block(builder, block, {"mean": GlobalAveragePool()} if block == BLOCKS[-1] else ending)


def _halving(size: int) -> MaxPool2d:
    return MaxPool2d(size, 2, ceil_mode=True)


def _add_block(builder: Builder, block: Inception, ending: dict[str, Layer]) -> None:
    before, n_in, joined = builder.last, builder.shape[-1], list[str]()
    for widths in ((block.single,), (block.reduced, block.wide), (block.reduced_again, block.wide_again)):
        builder.append(builder.activated(n_in, builder.scaled(widths[0]), 1, 1, "relu"), {"conv": (before,)})
        for n_filters in widths[1:]:
            builder.append(builder.activated(builder.shape[-1], builder.scaled(n_filters), 3, 1, "relu"))
        joined.append(builder.last)
    layers: dict[str, Layer] = {"pool": MaxPool2d(3, 1, 1)}
    layers |= builder.activated(n_in, builder.scaled(block.pooled), 1, 1, "relu") | {"concat": Concat()}
    joined.append(f"{builder.upcoming}.relu")
    builder.append(layers | ending, {"pool": (before,), "concat": tuple(joined)})
