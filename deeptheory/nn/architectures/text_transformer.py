"""A transformer for text: an encoder of words that names a label (blocks: `encoder`)."""

from deeptheory.errors import InputError
from deeptheory.nn.architectures.builder import Builder
from deeptheory.nn.architectures.encoder import Encoder, add_blocks, dropped, positions_of
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.tokens import Embedding, PaddingMask, SequencePool

BLOCKS, HEADS, CHANNELS = 4, 4, 256
EPSILON = 1e-5  # of layer norms


def add_text_transformer(
    builder: Builder,
    words: int,
    blocks: int,
    heads: int,
    hidden_ratio: int,
    positions: str,
    dropout: float,
    stochastic_depth: float,
) -> None:
    """An encoder of word ids with the norms before attention and perceptron (Vaswani et al., "Attention is all you
    need"; norms as in Xiong et al., "On layer normalization in the transformer architecture").

    Its first stage, `heads1`, begins with the padding mask, the embedding and the positions. No token looks at
    padding, and the last block ends with `norm` and `pool`, a mean over the words of a text by trained weights
    that starts as the plain one; so padding changes no output.

    Parameters
    ----------
    builder : Builder
        Without stages so far, for inputs (T, 1, 1): ids of T words, 0 for padding.
    words : int
        Rows of the embedding, padding among them: ids are below.
    blocks, heads : int
        0 for 4 blocks and 4 heads. 256 channels, times the width.
    hidden_ratio : int
        Hidden nodes of a block's perceptron for every channel.
    positions : "learned" or "sine"
    dropout, stochastic_depth : float
        As in `Encoder`.

    Raises
    ------
    InputError
        Inputs that are no ids of words, numbers out of range, or heads that do not divide the channels.
    """
    n_tokens, *others = builder.shape
    if others != [1, 1]:
        expected, found = "ids of words (T, 1, 1)", f"images {builder.shape}"
        raise InputError("text-transformer", expected, found, "take data of texts, or another network.name")
    if words < 2 or hidden_ratio < 1:
        expected = "at least 2 words and a hidden_ratio of at least 1"
        raise InputError("text-transformer", expected, f"{words} and {hidden_ratio}")
    n_channels = builder.scaled(CHANNELS)
    first: dict[str, Layer] = {
        "mask": PaddingMask(),
        "embedding": Embedding(words, n_channels, rng=builder.rng, dtype=builder.dtype),
        "positions": positions_of(builder, positions, n_tokens, n_channels),
        **dropped(builder, dropout),
    }
    encoder = Encoder(
        blocks or BLOCKS, heads or HEADS, hidden_ratio, True, dropout, stochastic_depth, False, EPSILON
    )
    add_blocks(builder, encoder, n_channels, SequencePool(n_channels, builder.dtype), first)
