"""The residual networks of ImageNet, with a stem for large or for small images, and those with few filters.

He et al., "Deep residual learning for image recognition"; Zagoruyko & Komodakis, "Wide residual networks"; Xie et
al., "Aggregated residual transformations for deep neural networks".
"""

from collections.abc import Iterator
from typing import NamedTuple

from deeptheory.errors import unknown_name
from deeptheory.nn.architectures.builder import Builder
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.pooling import GlobalAveragePool, MaxPool2d
from deeptheory.nn.layers.reshaping import ReLU
from deeptheory.nn.layers.residual import Sum

FILTERS = (64, 128, 256, 512)  # of the four groups
FEWER = (16, 32, 64)  # of the three groups of those with few filters
EXPANSION = 4  # output filters of a bottleneck for each filter of its group
IMAGENET, CIFAR = "imagenet", "cifar"
FORMS = (CIFAR, IMAGENET)


class Residual(NamedTuple):
    """What is special about one of the networks.

    Attributes
    ----------
    repeats : tuple of int
        Blocks in each group.
    bottleneck : bool
        Whether a block is 1 x 1, 3 x 3 and 1 x 1 convolutions, not two of 3 x 3.
    groups : int
        Of the 3 x 3 convolution of a bottleneck.
    base : int
        Its filters in each of these, where the group of blocks has 64.
    filters : tuple of int
        Of the groups of blocks; the stem has as many as the first.
    """

    repeats: tuple[int, ...]
    bottleneck: bool = True
    groups: int = 1
    base: int = 64
    filters: tuple[int, ...] = FILTERS


RESIDUAL = {
    "resnet18": Residual((2, 2, 2, 2), bottleneck=False),
    "resnet34": Residual((3, 4, 6, 3), bottleneck=False),
    "resnet50": Residual((3, 4, 6, 3)),
    "resnet101": Residual((3, 4, 23, 3)),
    "resnet152": Residual((3, 8, 36, 3)),
    "wide_resnet50_2": Residual((3, 4, 6, 3), base=128),
    "wide_resnet101_2": Residual((3, 4, 23, 3), base=128),
    "resnext50_32x4d": Residual((3, 4, 6, 3), groups=32, base=4),
    "resnext101_32x8d": Residual((3, 4, 23, 3), groups=32, base=8),
    "resnext101_64x4d": Residual((3, 4, 23, 3), groups=64, base=4),
    **{
        f"resnet{6 * n + 2}-projected": Residual((n, n, n), bottleneck=False, filters=FEWER)
        for n in (3, 5, 7, 9)
    },
}


class Block(NamedTuple):
    """Where a block is, and its stages.

    Attributes
    ----------
    group, number : int
        From 0.
    stages : tuple of str
        Of its convolutions on the branch; that of a grouped one is the stage before it.
    shortcut : str
        Stage of the convolution of its shortcut; "" where that is the identity.
    """

    group: int
    number: int
    stages: tuple[str, ...]
    shortcut: str

    @property
    def stride(self) -> int:
        """Of its 3 x 3 convolution, or the first of them."""
        return 2 if self.group > 0 and self.number == 0 else 1


def blocks_of(kind: Residual) -> Iterator[Block]:
    """The blocks in order; the stage of a shortcut comes before the last of its block, which adds it."""
    upcoming = 2
    for group, repeats in enumerate(kind.repeats):
        for number in range(repeats):
            projected = number == 0 and (group > 0 or kind.bottleneck)
            n_before = 1 if not kind.bottleneck or kind.groups > 1 else 2
            names = [f"stage{upcoming + place}" for place in range(n_before + projected + 1)]
            shortcut = names.pop(n_before) if projected else ""
            if kind.groups > 1:
                names.insert(1, names[0])
            yield Block(group, number, tuple(names), shortcut)
            upcoming += n_before + projected + 1


def add_residual(builder: Builder, form: str, kind: Residual) -> None:
    """Stem, and groups of blocks, the first of which halve the positions in all groups but one.

    The stem of `form` "imagenet" is a 7 x 7 convolution of stride 2 and 3 x 3 maximum pooling of stride 2, that of
    "cifar" a 3 x 3 convolution. A convolution with what follows it is a stage, conv-norm-relu, and the last of a
    block conv-norm-sum-relu; a grouped one belongs to the stage of the convolution before it: grouped,
    grouped_norm, grouped_relu. Where filters or positions of a block change, its shortcut is a 1 x 1 convolution
    with batch norm (option B), a stage of its own. Blocks of 3 x 3 convolutions stride in the first, bottlenecks
    in their 3 x 3 convolution, as torchvision's. The last stage ends with the mean over positions, `pool`.
    """
    if form not in FORMS:
        raise unknown_name("form", form, FORMS)
    large = form == IMAGENET
    layers = builder.activated(
        builder.shape[-1], builder.scaled(kind.filters[0]), 7 if large else 3, 2 if large else 1, "relu"
    )
    builder.append(layers | ({"pool": MaxPool2d(3, 2, 1)} if large else {}))
    *others, last = blocks_of(kind)
    for block in (*others, last):
        _add_block(builder, kind, block, {"pool": GlobalAveragePool()} if block == last else {})


def _add_block(builder: Builder, kind: Residual, block: Block, ending: dict[str, Layer]) -> None:
    before, n_in, filters = builder.last, builder.shape[-1], kind.filters[block.group]
    n_out = builder.scaled(filters * (EXPANSION if kind.bottleneck else 1))
    if kind.bottleneck:
        n_inside = kind.groups * builder.scaled(filters * kind.base // FILTERS[0])
        layers = builder.activated(n_in, n_inside, 1, 1, "relu")
        middle = {
            "conv": builder.conv(n_inside, n_inside, 3, block.stride, groups=kind.groups),
            "norm": builder.norm(n_inside),
            "relu": ReLU(),
        }
        if kind.groups > 1:
            named = zip(("grouped", "grouped_norm", "grouped_relu"), middle.values(), strict=True)
            builder.append(layers | dict(named))
        else:
            builder.append(layers)
            builder.append(middle)
    else:
        n_inside = n_out
        builder.append(builder.activated(n_in, n_out, 3, block.stride, "relu"))
    inside, shortcut = builder.last, before
    if block.shortcut:
        conv = builder.conv(n_in, n_out, 1, block.stride)
        builder.append({"conv": conv, "norm": builder.norm(n_out)}, {"conv": (before,)})
        shortcut = builder.last
    name, size = builder.upcoming, 1 if kind.bottleneck else 3
    inputs = {"conv": (inside,), "sum": (f"{name}.norm", shortcut)}
    conv = builder.conv(n_inside, n_out, size)
    builder.append({"conv": conv, "norm": builder.norm(n_out), "sum": Sum(), "relu": ReLU()} | ending, inputs)
