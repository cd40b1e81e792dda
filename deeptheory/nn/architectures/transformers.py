"""Transformers for images: the compact convolutional and the vision transformer (blocks: `encoder`)."""

from deeptheory.errors import InputError
from deeptheory.nn.architectures.builder import Builder
from deeptheory.nn.architectures.encoder import Encoder, add_blocks, dropped, positions_of
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.pooling import MaxPool2d
from deeptheory.nn.layers.reshaping import ReLU
from deeptheory.nn.layers.tokens import ClassToken, FirstToken, SequencePool, Tokens

CCT_BLOCKS, CCT_HEADS, CCT_CHANNELS, CCT_FIRST = 7, 4, 256, 64  # channels of all but the last convolution
VIT_BLOCKS, VIT_HEADS, VIT_CHANNELS = 12, 3, 192
CCT_EPSILON, VIT_EPSILON = 1e-5, 1e-6  # of layer norms, where the published networks have them


def add_cct(
    builder: Builder,
    blocks: int,
    heads: int,
    conv_layers: int,
    kernel: int,
    positions: str,
    dropout: float,
    stochastic_depth: float,
) -> None:
    """The compact convolutional transformer (Hassani et al., "Escaping the big data paradigm"), as CCT-7/3x1.

    Convolutions without bias, each with ReLU and a 3 x 3 maximum pooling of stride 2, are the stages `tokens1`,
    ...; the positions of their outputs are the tokens. The last block ends with `norm` and `pool`, a mean over
    tokens by trained weights. The second norm of a block is on what is passed on as well, as published.

    Parameters
    ----------
    builder : Builder
        Without stages so far.
    blocks, heads : int
        0 for those of CCT-7: 7 blocks, 4 heads. 256 channels, times the width; two hidden nodes for each.
    conv_layers, kernel : int
        Convolutions and size of their kernels; all but the last have 64 filters, times the width.
    positions : "learned" or "sine"
    dropout, stochastic_depth : float
        As in `Encoder`.

    Raises
    ------
    InputError
        Numbers out of range, heads that do not divide the channels, or images too small for the poolings.
    """
    if kernel < 1 or kernel % 2 == 0 or conv_layers < 1:
        raise InputError("cct", "an odd kernel and at least 1 of conv_layers", f"{kernel} and {conv_layers}")
    n_channels = builder.scaled(CCT_CHANNELS)
    for number in range(1, conv_layers + 1):
        last = number == conv_layers
        n_filters = n_channels if last else builder.scaled(CCT_FIRST)
        layers: dict[str, Layer] = {
            "conv": builder.conv(builder.shape[-1], n_filters, kernel, max(1, kernel // 2 - 1)),
            "relu": ReLU(),
            "pool": MaxPool2d(3, 2, 1),
        }
        if not last:
            builder.append(layers, name=f"tokens{number}")
    encoder = Encoder(
        blocks or CCT_BLOCKS, heads or CCT_HEADS, 2, False, dropout, stochastic_depth, True, CCT_EPSILON
    )
    _append_tokens(builder, layers, f"tokens{conv_layers}", n_channels, positions, dropout, False)
    add_blocks(builder, encoder, n_channels, SequencePool(n_channels, builder.dtype))


def add_vit(
    builder: Builder,
    blocks: int,
    heads: int,
    patch: int,
    positions: str,
    dropout: float,
    stochastic_depth: float,
) -> None:
    """The vision transformer (Dosovitskiy et al., "An image is worth 16x16 words"), by default ViT-Tiny.

    The stage `tokens` is a convolution of patches side by side, with a class token before them; the last block
    ends with `norm` and `pool`, which reads the class token.

    Parameters
    ----------
    builder : Builder
        Without stages so far.
    blocks, heads : int
        0 for those of ViT-Tiny: 12 blocks, 3 heads. 192 channels, times the width; four hidden nodes for each.
    patch : int
        Side of a patch in pixels; it divides the image.
    positions : "learned" or "sine"
    dropout, stochastic_depth : float
        As in `Encoder`.

    Raises
    ------
    InputError
        Numbers out of range, heads that do not divide the channels, or patches that do not divide the image.
    """
    height, width, n_in = builder.shape
    if patch < 1 or height % patch or width % patch:
        raise InputError(
            "patch of vit-tiny", f"a divisor of the image, {height} x {width} pixels", str(patch)
        )
    n_channels = builder.scaled(VIT_CHANNELS)
    conv: dict[str, Layer] = {"conv": builder.conv(n_in, n_channels, patch, patch, padding=0, bias=True)}
    encoder = Encoder(
        blocks or VIT_BLOCKS, heads or VIT_HEADS, 4, True, dropout, stochastic_depth, False, VIT_EPSILON
    )
    _append_tokens(builder, conv, "tokens", n_channels, positions, dropout, True)
    add_blocks(builder, encoder, n_channels, FirstToken())


def _append_tokens(
    builder: Builder,
    layers: dict[str, Layer],
    name: str,
    n_channels: int,
    positions: str,
    dropout: float,
    has_class: bool,
) -> None:
    """Append a stage of these layers, whose outputs become tokens with positions."""
    n_tokens = int(has_class) + _n_positions(builder, layers)
    layers |= {"tokens": Tokens()}
    if has_class:
        layers["class_token"] = ClassToken(n_channels, builder.dtype)
    layers["positions"] = positions_of(builder, positions, n_tokens, n_channels)
    layers |= dropped(builder, dropout)
    builder.append(layers, name=name)


def _n_positions(builder: Builder, layers: dict[str, Layer]) -> int:
    shape = builder.shape
    for layer in layers.values():
        shape = layer.output_shape(shape)
    return shape[0] * shape[1]
