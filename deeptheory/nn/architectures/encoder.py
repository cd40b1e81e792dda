"""The blocks of transformers, which those of images and those of text have in common.

A block is four stages, because every stage has exactly one layer that mixes filters: `headsN` (the heads),
`attentionN` (their projection, summed with what the block reads), `nodesN` (the hidden nodes of the perceptron)
and `blockN` (its outputs, summed; the end of the block). Tokens are the positions of a filter.
"""

from collections.abc import Mapping
from typing import NamedTuple

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.architectures.builder import Builder
from deeptheory.nn.graph import INPUT
from deeptheory.nn.layers.activations import GELU
from deeptheory.nn.layers.attention import SelfAttention
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.dropout import Dropout
from deeptheory.nn.layers.normalisation import LayerNorm
from deeptheory.nn.layers.residual import StochasticDepth, Sum
from deeptheory.nn.layers.tokens import Positions, SinePositions

POSITIONS = ("learned", "sine")
FIRST = "heads1"  # the stage that makes the tokens of words


class Encoder(NamedTuple):
    """What the blocks of a transformer have in common.

    Attributes
    ----------
    blocks, heads : int
    hidden : int
        Nodes of a perceptron for every channel.
    qkv_bias : bool
        Whether queries, keys and values have biases.
    dropout : float
        Probability of dropping a number behind the positions, of the hidden nodes and of the perceptron's outputs.
    stochastic_depth : float
        Probability of dropping a branch; it grows linearly from 0 in the first block up to this in the last.
    norm_in_between : bool
        Whether the second norm of a block lies before the sum of the perceptron, on what is passed on as well.
    epsilon : float
        Of layer norms.
    """

    blocks: int
    heads: int
    hidden: int
    qkv_bias: bool
    dropout: float
    stochastic_depth: float
    norm_in_between: bool
    epsilon: float


def positions_of(builder: Builder, kind: str, n_tokens: int, n_channels: int) -> Layer:
    """What is added to tokens by their position, "learned" or "sine".

    Raises
    ------
    InputError
        Another kind.
    """
    if kind not in POSITIONS:
        raise unknown_name("positions", kind, POSITIONS)
    learned = kind == "learned"
    return (
        Positions(n_tokens, n_channels, rng=builder.rng, dtype=builder.dtype) if learned else SinePositions()
    )


def dropped(builder: Builder, dropout: float) -> dict[str, Layer]:
    """A layer `drop`, where anything is dropped."""
    return {"drop": Dropout(dropout, rng=builder.rng)} if dropout != 0 else {}


def add_blocks(
    builder: Builder, encoder: Encoder, n_channels: int, pool: Layer, words: Mapping[str, Layer] | None = None
) -> None:
    """The blocks of an encoder, the last with `norm` and `pool`.

    Parameters
    ----------
    builder : Builder
    encoder : Encoder
    n_channels : int
        Of a token.
    pool : Layer
        Makes one vector of all tokens.
    words : mapping of str to Layer, optional
        What makes tokens of words, in the first stage before the norm; among them `mask`, which attention and
        `pool` read too, and `embedding`, which like it reads the input. None where stages before make the tokens.

    Raises
    ------
    InputError
        No block, heads that do not divide the channels, or a probability that is none.
    """
    if encoder.blocks < 1:
        raise InputError("blocks", "at least 1, or 0 for the default", str(encoder.blocks))
    made = dict(words or {})
    masks = (f"{FIRST}.mask",) if made else ()
    for number in range(1, encoder.blocks + 1):
        depth = encoder.stochastic_depth * (number - 1) / max(1, encoder.blocks - 1)
        first = bool(made) and number == 1
        name, before = f"heads{number}", f"{FIRST}.{list(made)[-1]}" if first else builder.last
        heads: dict[str, Layer] = {
            "norm": LayerNorm(n_channels, encoder.epsilon, builder.dtype),
            "attention": SelfAttention(
                n_channels, encoder.heads, encoder.qkv_bias, rng=builder.rng, dtype=builder.dtype
            ),
        }
        inputs: dict[str, tuple[str, ...]] = {"attention": (f"{name}.norm", *masks)} if masks else {}
        if first:
            inputs |= {"embedding": (INPUT,)}
        builder.append((made if first else {}) | heads, inputs, name)
        projection = builder.conv(
            encoder.heads, n_channels, (1, n_channels // encoder.heads), padding=0, bias=True
        )
        norm: dict[str, Layer] = {"norm": LayerNorm(n_channels, encoder.epsilon, builder.dtype)}
        ending = norm if encoder.norm_in_between else {}
        _append_branch(builder, f"attention{number}", {"conv": projection}, depth, before, ending)
        before, n_nodes = builder.last, encoder.hidden * n_channels
        nodes = {
            "conv": builder.conv(n_channels, n_nodes, 1, bias=True),
            "gelu": GELU(),
            **dropped(builder, encoder.dropout),
        }
        builder.append(({} if encoder.norm_in_between else norm) | nodes, name=f"nodes{number}")
        outputs = {
            "conv": builder.conv(n_nodes, n_channels, 1, bias=True),
            **dropped(builder, encoder.dropout),
        }
        ending = {}
        if number == encoder.blocks:
            ending = {"norm": LayerNorm(n_channels, encoder.epsilon, builder.dtype), "pool": pool}
        _append_branch(builder, f"block{number}", outputs, depth, before, ending, masks)


def _append_branch(
    builder: Builder,
    name: str,
    layers: dict[str, Layer],
    stochastic_depth: float,
    shortcut: str,
    ending: dict[str, Layer],
    masks: tuple[str, ...] = (),
) -> None:
    """A stage of layers whose output is summed with that of `shortcut`; the pooling, if any, reads the masks."""
    if stochastic_depth != 0:
        layers["branch"] = StochasticDepth(stochastic_depth, rng=builder.rng)
    inputs: dict[str, tuple[str, ...]] = {"sum": (f"{name}.{list(layers)[-1]}", shortcut)}
    if masks and "pool" in ending:
        inputs["pool"] = (f"{name}.norm", *masks)
    builder.append(layers | {"sum": Sum()} | ending, inputs, name)
