"""DenseNet-121 of Huang et al., "Densely connected convolutional networks"."""

from deeptheory.nn.architectures.builder import Builder
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.pooling import AvgPool2d, GlobalAveragePool, MaxPool2d
from deeptheory.nn.layers.reshaping import ReLU
from deeptheory.nn.layers.residual import Concat

BLOCKS = (6, 12, 24, 16)  # dense layers of the four blocks
STEM, GROWTH, WIDENED = 64, 32, 4  # filters of the stem and of each dense layer; factor on the latter inside


def add_densenet(builder: Builder) -> None:
    """A 7 x 7 convolution of stride 2 with pooling, then four blocks with transitions between them.

    A dense layer is two stages: concat (of what the block takes and of the outputs of its dense layers so far),
    input_norm, input_relu, conv (1 x 1), norm, relu; and conv (3 x 3). A transition is concat, input_norm,
    input_relu, conv (1 x 1) to half of the filters, pool. The last stage ends with concat, norm, relu and the mean
    over positions, `pool`.
    """
    n_in, growth = builder.scaled(STEM), builder.scaled(GROWTH)
    stem = builder.activated(builder.shape[-1], n_in, 7, 2, "relu")
    builder.append(stem | {"pool": MaxPool2d(3, 2, padding=1)})
    for block, count in enumerate(BLOCKS):
        read = [builder.last]
        for number in range(count):
            inside = WIDENED * growth
            layers = _normed(builder, len(read) > 1, n_in) | {"conv": builder.conv(n_in, inside, 1)}
            layers |= {"norm": builder.norm(inside), "relu": ReLU()}
            builder.append(layers, _joined(read))
            n_in += growth
            last: dict[str, Layer] = {"conv": builder.conv(inside, growth, 3)}
            if block == len(BLOCKS) - 1 and number == count - 1:
                ending = {
                    "concat": Concat(),
                    "norm": builder.norm(n_in),
                    "relu": ReLU(),
                    "pool": GlobalAveragePool(),
                }
                builder.append(last | ending, _joined([*read, f"{builder.upcoming}.conv"]))
            else:
                builder.append(last)
            read.append(builder.last)
        if block < len(BLOCKS) - 1:
            layers = _normed(builder, True, n_in) | {"conv": builder.conv(n_in, n_in // 2, 1)}
            builder.append(layers | {"pool": AvgPool2d(2)}, _joined(read))
            n_in //= 2


def _joined(stages: list[str]) -> dict[str, tuple[str, ...]]:
    return {"concat": tuple(stages)} if len(stages) > 1 else {}


def _normed(builder: Builder, several: bool, n: int) -> dict[str, Layer]:
    """What comes before the convolution: batch norm and ReLU, of several outputs or of one."""
    layers: dict[str, Layer] = {"concat": Concat()} if several else {}
    return layers | {"input_norm": builder.norm(n), "input_relu": ReLU()}
