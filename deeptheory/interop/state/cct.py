"""Compact transformers as the package compact-transformers writes them: names, sizes, and rows of heads."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from deeptheory import nn
from deeptheory.interop.state.naming import Prefixes
from deeptheory.nn.architectures.transformers import CCT_CHANNELS
from deeptheory.nn.layers.base import Array, Shape
from deeptheory.prune.masked_layers import HEAD_LAYER

CCT, PACKAGE = "cct", "compact-transformers"
HEADS = {"cct_2": 2, "cct_4": 2, "cct_6": 4, "cct_7": 4, "cct_14": 6}  # by the names of the package
HEADS |= {f"{CCT}-{number}-heads": number for number in (1, 2, 3, 4, 6, 8, 12, 16)}
POSITIONS, WEIGHT = "classifier.positional_emb", "tokenizer.conv_layers.0.0.weight"
NAMES = {  # by what our stages are, of their layers
    "tokens": {"conv": "tokenizer.conv_layers.{}.0", "positions": POSITIONS},
    "heads": {"norm": "classifier.blocks.{}.pre_norm", "attention": "classifier.blocks.{}.self_attn.qkv"},
    "attention": {"conv": "classifier.blocks.{}.self_attn.proj", "norm": "classifier.blocks.{}.norm1"},
    "nodes": {"conv": "classifier.blocks.{}.linear1"},
    "block": {
        "conv": "classifier.blocks.{}.linear2",
        "norm": "classifier.norm",
        "pool": "classifier.attention_pool",
    },
}
MOST = 64  # blocks and convolutions that are looked for


def narrow_cct(asked: str, tensors: Mapping[str, Array], input_shape: Shape) -> nn.Network:
    """A network of the sizes that the tensors have; where they say nothing, a small one.

    Raises
    ------
    InputError
        The heads do not divide the channels, or the images are too small.
    """
    first, positions = tensors.get(WEIGHT), tensors.get(POSITIONS)
    heads = HEADS.get(asked, 1)
    channels = heads if positions is None else positions.shape[-1]
    return nn.build(
        CCT,
        2,
        input_shape,
        channels / CCT_CHANNELS,
        rng=np.random.default_rng(0),
        blocks=_count(tensors, r"classifier\.blocks\.(\d+)\."),
        heads=heads,
        conv_layers=_count(tensors, r"tokenizer\.conv_layers\.(\d+)\."),
        kernel=3 if first is None or first.ndim < 4 else first.shape[-1],
    )


def _count(tensors: Mapping[str, Array], pattern: str) -> int:
    numbers = {int(found[1]) for name in tensors if (found := re.match(pattern, name))}
    return min(len(numbers), MOST) or 1


def cct_names(description: Mapping[str, Any]) -> Prefixes:
    """`tokenizer.conv_layers.0.0`, `classifier.blocks.0.self_attn.qkv` and the like."""
    prefixes = {HEAD_LAYER: "classifier.fc"}
    for stage in description["stages"]:
        kind = stage["name"].rstrip("0123456789")
        if kind in NAMES:
            number = int(stage["name"].removeprefix(kind)) - 1
            for layer, name in NAMES[kind].items():
                prefixes[f"{stage['name']}.{layer}"] = name.format(number)
    return prefixes


def from_rows(tensor: Array, shape: Shape) -> Array:
    """Queries, keys and values of all heads, which are rows in this order, as the array of `nn.SelfAttention`.

    Parameters
    ----------
    tensor : (3 heads d, C) array
    shape : (heads, C, 3, d)
    """
    heads, channels, _, depth = shape
    return np.ascontiguousarray(tensor.reshape(3, heads, depth, channels).transpose(1, 3, 0, 2))


def to_rows(array: Array) -> Array:
    """The reverse of `from_rows`."""
    return np.ascontiguousarray(array.transpose(2, 0, 3, 1)).reshape(-1, array.shape[1])
