"""ConvNeXt-T of Liu et al., "A ConvNet for the 2020s"."""

from deeptheory.nn.architectures.builder import Builder
from deeptheory.nn.layers.activations import GELU
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.normalisation import LayerNorm
from deeptheory.nn.layers.pooling import GlobalAveragePool
from deeptheory.nn.layers.residual import LayerScale, Sum

FILTERS, BLOCKS = (96, 192, 384, 768), (3, 3, 9, 3)  # of the four groups
PATCH, EXPANSION, SIZE = 4, 4, 7  # pixels of the stem; channels inside a block; depthwise kernels


def add_convnext(builder: Builder) -> None:
    """A 4 x 4 convolution of stride 4, then four groups of blocks, 2 x 2 convolutions of stride 2 between them.

    A block is two stages: depthwise (7 x 7), layer_norm, conv (1 x 1), gelu; and conv (1 x 1), scale, sum with the
    output of the stage before the block. Every convolution has a bias. The last stage ends with the mean over
    positions, `pool`, and a layer norm.
    """
    filters = [
        max(2, builder.scaled(n)) for n in FILTERS
    ]  # of one filter, a depthwise layer would mix channels
    stem = builder.conv(builder.shape[-1], filters[0], PATCH, PATCH, padding=0, bias=True)
    builder.append({"conv": stem, "layer_norm": LayerNorm(filters[0], dtype=builder.dtype)})
    for group, (n, count) in enumerate(zip(filters, BLOCKS, strict=True)):
        if group > 0:
            n_in = builder.shape[-1]
            smaller = builder.conv(n_in, n, 2, 2, padding=0, bias=True)
            builder.append({"layer_norm": LayerNorm(n_in, dtype=builder.dtype), "conv": smaller})
        for block in range(count):
            final = group == len(BLOCKS) - 1 and block == count - 1
            ending: dict[str, Layer] = (
                {"pool": GlobalAveragePool(), "layer_norm": LayerNorm(n, dtype=builder.dtype)}
                if final
                else {}
            )
            _add_block(builder, n, ending)


def _add_block(builder: Builder, n: int, ending: dict[str, Layer]) -> None:
    before = builder.last
    builder.append(
        {
            "depthwise": builder.conv(n, n, SIZE, groups=n, bias=True),
            "layer_norm": LayerNorm(n, dtype=builder.dtype),
            "conv": builder.conv(n, EXPANSION * n, 1, bias=True),
            "gelu": GELU(),
        }
    )
    layers: dict[str, Layer] = {
        "conv": builder.conv(EXPANSION * n, n, 1, bias=True),
        "scale": LayerScale(n, builder.dtype),
        "sum": Sum(),
    }
    builder.append(layers | ending, {"sum": (f"{builder.upcoming}.scale", before)})
