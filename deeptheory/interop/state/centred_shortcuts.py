"""Residual networks whose shortcuts add zero channels on both sides, converted to our order of channels."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from deeptheory.errors import InputError
from deeptheory.nn.layers.base import Array


def zeros_behind(description: Mapping[str, Any], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The same network with its channels permuted so that the added zeros come last, as in `nn.Subsample`.

    Parameters
    ----------
    description : mapping
        Of `resnet20`: the stem, blocks of two stages each, the head.
    arrays : mapping of str to array
        By our dotted names. Where the filters double from n to m, (m - n)/2 zeros are added before and behind.

    Raises
    ------
    InputError
        An odd number of added filters.

    Notes
    -----
    Outputs are the same up to rounding, by the order of sums in the first layer of a block and in the head. The
    filters of the second stage of each block are permuted from the first doubling on.
    """
    changed, stem, *blocks, head = dict(arrays), *(stage["name"] for stage in description["stages"])
    order = np.arange(len(arrays[f"{stem}.conv.weight"]))
    for first, second in zip(blocks[::2], blocks[1::2], strict=True):
        changed[f"{first}.conv.weight"] = arrays[f"{first}.conv.weight"][:, order]
        order = _widened(order, len(arrays[f"{second}.conv.weight"]), second)
        for name in (
            f"{second}.conv.weight",
            *(name for name in arrays if name.startswith(f"{second}.norm.")),
        ):
            changed[name] = arrays[name][order]
    changed[f"{head}.linear.weight"] = arrays[f"{head}.linear.weight"][:, order]
    return changed


def _widened(order: Array, n_out: int, stage: str) -> Array:
    """Index of each of our channels among the original ones behind a shortcut, given the indices before it."""
    before, rest = divmod(n_out - len(order), 2)
    if rest:
        expected = f"an even number of filters more than {len(order)}"
        raise InputError(f"filters of {stage}", expected, str(n_out), "take --architecture resnet20-behind")
    zeros = np.concatenate([np.arange(before), np.arange(before + len(order), n_out)])
    return np.concatenate([before + order, zeros])
