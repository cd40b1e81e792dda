"""EfficientNet-B0 of Tan & Le, "EfficientNet: rethinking model scaling for convolutional neural networks"."""

import math

from deeptheory.errors import InputError
from deeptheory.nn.architectures.builder import Builder
from deeptheory.nn.layers.activations import SiLU
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.pooling import GlobalAveragePool
from deeptheory.nn.layers.residual import StochasticDepth, Sum
from deeptheory.nn.layers.squeeze_excitation import SqueezeExcitation

STEM, WIDEST = 32, 1280
BLOCKS = (  # expansion, channels, repeats, stride of the first of them, size of the depthwise kernel
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
SQUEEZE = 4  # channels of a block's input for each hidden node of its squeeze-and-excitation
MULTIPLE = 8  # all numbers of channels are multiples of it
SMALL = 32  # pixels: the stem halves larger images


def add_efficientnet(builder: Builder, depth: float, stochastic_depth: float) -> None:
    """Stem, inverted bottlenecks (MBConv) and the last 1 x 1 convolution.

    A block is two stages: conv (1 x 1), norm, silu, depthwise, depthwise_norm, depthwise_silu, squeeze; and
    conv (1 x 1), norm, and where input and output have the same shape, drop (with stochastic depth) and sum
    with the output of the stage before the block. The first block has no expansion: its depthwise part
    belongs to the stage of the stem. The last stage ends with the mean over positions, `pool`.

    Parameters
    ----------
    builder : Builder
        Without stages so far.
    depth : float
        Factor on the repeats of the blocks, rounded up; at most 1, where the first block is not repeated.
    stochastic_depth : float
        Probability of dropping a branch; it grows linearly from 0 at the first block up to this at the end.

    Raises
    ------
    InputError
        A factor or probability out of range.
    """
    if not 0 < depth <= 1:
        raise InputError("depth of efficientnet-b0", "above 0 and at most 1", str(depth))
    if not 0 <= stochastic_depth < 1:
        raise InputError("stochastic_depth", "at least 0 and below 1", str(stochastic_depth))
    blocks = [
        (expansion, _channels(builder, channels), stride if repeat == 0 else 1, size)
        for expansion, channels, repeats, stride, size in BLOCKS
        for repeat in range(math.ceil(depth * repeats))
    ]
    n_in = _channels(builder, STEM)
    layers = builder.activated(
        builder.shape[-1], n_in, 3, 1 if max(builder.shape[:2]) <= SMALL else 2, "silu"
    )
    before = f"{builder.upcoming}.silu"
    for number, (expansion, n_out, stride, size) in enumerate(blocks):
        if number > 0:
            before, n_in = builder.last, builder.shape[-1]
            layers = builder.activated(n_in, expansion * n_in, 1, 1, "silu")
        n_inside = expansion * n_in
        builder.append(layers | _depthwise(builder, n_inside, stride, size, n_in // SQUEEZE))
        shortcut = before if stride == 1 and n_in == n_out else None
        _add_projection(builder, n_inside, n_out, shortcut, stochastic_depth * number / len(blocks))
    layers = builder.activated(builder.shape[-1], _channels(builder, WIDEST), 1, 1, "silu")
    builder.append(layers | {"pool": GlobalAveragePool()})


def _depthwise(builder: Builder, n: int, stride: int, size: int, n_hidden: int) -> dict[str, Layer]:
    return {
        "depthwise": builder.conv(n, n, size, stride, groups=n),
        "depthwise_norm": builder.norm(n),
        "depthwise_silu": SiLU(),
        "squeeze": SqueezeExcitation(n, n_hidden, rng=builder.rng, dtype=builder.dtype),
    }


def _add_projection(builder: Builder, n_in: int, n_out: int, shortcut: str | None, drop: float) -> None:
    layers: dict[str, Layer] = {"conv": builder.conv(n_in, n_out, 1), "norm": builder.norm(n_out)}
    inputs = {}
    if shortcut:
        if drop > 0:
            layers["drop"] = StochasticDepth(drop, rng=builder.rng)
        inputs["sum"] = (f"{builder.upcoming}.{list(layers)[-1]}", shortcut)
        layers["sum"] = Sum()
    builder.append(layers, inputs)


def _channels(builder: Builder, n: int) -> int:
    """Number of channels at the width of the builder, to the nearest multiple of 8 (halves up) and at least 8."""
    return max(1, math.floor(builder.width * n / MULTIPLE + 0.5)) * MULTIPLE
