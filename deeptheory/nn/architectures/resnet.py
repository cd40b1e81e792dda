"""The residual network of He et al., "Deep residual learning for image recognition", for small images."""

from deeptheory.nn.architectures.builder import Builder
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.pooling import GlobalAveragePool
from deeptheory.nn.layers.reshaping import ReLU
from deeptheory.nn.layers.residual import Subsample, Sum

STEM = 16
FILTERS = (16, 32, 64)  # of the three groups
BLOCKS = 3  # in each group


def add_resnet20(builder: Builder) -> None:
    """A 3 x 3 convolution, then three groups of three blocks with 16, 32 and 64 filters.

    A block is two stages, conv-norm-relu and conv-norm-sum-relu; the sum takes the output of the stage before
    the block. The first block of the second and third group halves the positions; its shortcut has no
    parameters (option A). The last stage ends with the mean over positions, `pool`.
    """
    builder.append(builder.activated(builder.shape[-1], builder.scaled(STEM), 3, 1, "relu"))
    for group, n_filters in enumerate(FILTERS):
        for block in range(BLOCKS):
            stride = 2 if group > 0 and block == 0 else 1
            final = group == len(FILTERS) - 1 and block == BLOCKS - 1
            _add_block(
                builder, builder.scaled(n_filters), stride, {"pool": GlobalAveragePool()} if final else {}
            )


def _add_block(builder: Builder, n_out: int, stride: int, ending: dict[str, Layer]) -> None:
    before, n_in = builder.last, builder.shape[-1]
    builder.append(builder.activated(n_in, n_out, 3, stride, "relu"))
    name = builder.upcoming
    layers: dict[str, Layer] = {"conv": builder.conv(n_out, n_out, 3), "norm": builder.norm(n_out)}
    inputs: dict[str, tuple[str, ...]] = {"sum": (f"{name}.norm", before)}
    if stride > 1 or n_in != n_out:
        layers["shortcut"] = Subsample(n_out, stride)
        inputs = {"shortcut": (before,), "sum": (f"{name}.norm", f"{name}.shortcut")}
    builder.append(layers | {"sum": Sum(), "relu": ReLU()} | ending, inputs)
