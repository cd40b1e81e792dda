"""Masks of whole channels of a PyTorch model, by the scores of its filters."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.array_like import array_of
from deeptheory.errors import InputError
from deeptheory.interop.optional_packages import needed
from deeptheory.interop.torch.channel_groups import ChannelGroups, Group, filter_scores
from deeptheory.interop.torch.head_removal import attentions, heads_along
from deeptheory.interop.torch.live_model import LiveModel
from deeptheory.interop.torch.masked_copies import as_input, first_of, masked_copy
from deeptheory.interop.torch.transposed_layers import as_linear

if TYPE_CHECKING:
    import torch


def channel_masks(
    model: "torch.nn.Module", scores: Mapping[str, Any], density: float, *, example: Any
) -> dict[str, NDArray[np.bool_]]:
    """Masks that `compact` can make use of: channels are kept or removed in all layers that share them.

    Parameters
    ----------
    model : torch.nn.Module
    scores : mapping of str to array (n_out, ...)
        By name of a weight, higher = keep: the ``scores`` of an arm of `Measured.masks`, those of AFCC and of the
        SNR share with ``granularity="filter"``; or masks, such as those of the SNR budget of an imported run, by
        which filters are ordered that keep most. What belongs to one filter is averaged, and so are the layers
        that write a channel together, as around a sum. Layers of queries, keys and values have a score for each
        head, or for each row.
    density : float
        Share kept of the channels of every group, and of the heads of every attention, that has scores; at least
        one.
    example : tensor or array (n, ...)
        Inputs of the model.

    Returns
    -------
    dict of str to bool array
        By parameter name, for `apply_masks`: rows of weights, with the biases and norms of removed channels, so
        that these are silent.

    Raises
    ------
    InputError
        The density is not in (0, 1]; scores of no weight, or not one for each filter; no channel with a score can
        be removed; as `ChannelGroups`.
    """
    if not 0 < density <= 1:
        raise InputError("density", "a share above 0, at most 1", f"{density:g}")
    copied = masked_copy(model, {}, example)
    transposed = as_linear(needed("torch", "torch"), copied)
    live = LiveModel(copied)
    x = as_input(live, example)
    heads = attentions(live, first_of(live.torch, x))
    checked = _checked(live, scores, {name: of.n for of in heads for name in of.writers})
    masks: dict[str, NDArray[np.bool_]] = {}
    why = "no layer that writes them has scores"
    for attention in heads:
        if attention.uncut or not any(f"{name}.weight" in checked for name in attention.writers):
            continue
        rows = {name: heads_along(place, _n_out(live, name)) for name, place in attention.writers.items()}
        removed = _lowest(_score_of_heads(checked, rows, attention.n), density)
        for name, of_row in rows.items():
            _mask_rows(live, masks, name, np.isin(of_row, removed))
    for group in ChannelGroups(live, x, heads).groups:
        if group.uncut:
            scored = any(filter_scores(checked, name) is not None for name in group.writers)
            why = group.uncut if scored else why
            continue
        score = group.score(checked)
        if score is None:
            continue
        for name, row in _rows(group, _lowest(score, density).tolist()):
            _mask_rows(live, masks, name, row)
    for name in transposed:
        if f"{name}.weight" in masks:
            masks[f"{name}.weight"] = masks[f"{name}.weight"].T.copy()
    if not masks:
        raise InputError("scores", "those of channels that can be removed", why)
    return masks


class Importance:
    """The scores of filters as the importance of channels, for the pruners of Torch-Pruning.

    ``torch_pruning.pruner.BasePruner(model, example, importance=Importance(model, scores), pruning_ratio=0.5)``.

    Parameters
    ----------
    model : torch.nn.Module
    scores : mapping of str to array (n_out, ...)
        As `channel_masks` takes them.
    """

    def __init__(self, model: "torch.nn.Module", scores: Mapping[str, Any]) -> None:
        self._live = LiveModel(model)
        self._scores = _checked(self._live, scores, {})
        self._names = {id(module): name for name, module in self._live.modules.items()}

    def __call__(self, group: Any) -> "torch.Tensor | None":
        """The mean score of every channel of a group of Torch-Pruning; None for one without scores."""
        found = []
        for item in group:
            name = self._names.get(id(item.dep.target.module), "")
            means = filter_scores(self._scores, name)
            if means is not None and "prune_out" in item.dep.handler.__name__:
                found.append(means[item.idxs])
        return self._live.torch.as_tensor(np.mean(found, axis=0)) if found else None


def _rows(group: Group, removed: list[int]) -> list[tuple[str, list[int]]]:
    """The filters and entries of norms that belong to channels, by layer."""
    layers = group.writers | group.followers
    return [
        (name, [row for channel in removed for row in places[channel]]) for name, places in layers.items()
    ]


def _lowest(score: NDArray[np.float64], density: float) -> NDArray[np.int64]:
    """The filters beyond a share of them, at least one, that have the highest scores."""
    return np.argsort(-score, kind="stable")[max(1, math.ceil(density * len(score))) :]


def _score_of_heads(
    scores: Mapping[str, NDArray[np.float64]], rows: Mapping[str, NDArray[np.int64]], n: int
) -> NDArray[np.float64]:
    """The mean score of every head over the layers before it, whose scores are those of heads or of rows."""
    found = []
    for name, of_row in rows.items():
        means = filter_scores(scores, name)
        if means is not None:
            by_head = [means[of_row == head].mean() for head in range(n)] if len(means) != n else means
            found.append(by_head)
    mean: NDArray[np.float64] = np.mean(found, axis=0)
    return mean


def _mask_rows(live: LiveModel, masks: dict[str, NDArray[np.bool_]], name: str, rows: Any) -> None:
    for key, parameter in live.modules[name].named_parameters(recurse=False):
        mask = masks.setdefault(f"{name}.{key}", np.ones(tuple(parameter.shape), np.bool_))
        mask[rows] = False


def _n_out(live: LiveModel, name: str) -> int:
    return len(live.modules[name].weight)


def _checked(
    live: LiveModel, scores: Mapping[str, Any], heads: Mapping[str, int]
) -> dict[str, NDArray[np.float64]]:
    checked = {}
    for name, score in scores.items():
        array, module = array_of(score, f"scores of '{name}'"), name.removesuffix(".weight")
        if not live.mixes(live.module(module, "scores")):
            expected = "the weight of a convolution without groups or a linear layer"
            raise InputError("scores", expected, f"'{name}'")
        n_out = _n_out(live, module)
        if array.ndim == 0 or len(array) not in (n_out, heads.get(module)):
            raise InputError(
                f"scores of '{name}'", f"one for each of {n_out} filters", f"shape {array.shape}"
            )
        checked[name] = array.astype(np.float64)
    return checked
