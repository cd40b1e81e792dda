"""A physically smaller PyTorch model: without the channels that its masks leave without a use."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from deeptheory.errors import InputError
from deeptheory.interop.optional_packages import needed
from deeptheory.interop.torch.channel_groups import PARTS_OF_HEADS, ChannelGroups
from deeptheory.interop.torch.head_removal import attentions, cut_heads, removable_heads
from deeptheory.interop.torch.live_model import LiveModel
from deeptheory.interop.torch.masked_copies import (
    as_input,
    difference_of,
    first_of,
    masked_copy,
    samples,
    times_of,
)
from deeptheory.interop.torch.names import ORIGINAL
from deeptheory.interop.torch.removable import hand_over, observed, removable
from deeptheory.interop.torch.transposed_layers import as_before, as_linear

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Compacted:
    """A smaller model, and what it gains.

    Attributes
    ----------
    model : torch.nn.Module
        With the outputs of the masked model; in evaluation mode, on its device, its parameters unmasked.
    channels : dict of (int, int)
        Filters of every layer that lost some, before and after.
    uncut : dict of str
        Layers with filters of zeros that stay, with the reason.
    parameters, compact_parameters : int
        Numbers of the masked model and of this one.
    zeros : int
        Weights of this one that are zero: PyTorch computes with them.
    seconds, compact_seconds : float
        Median time of the masked and of this model for the example. Worth something only where nothing else runs.
    difference : float
        Largest difference of their outputs, relative to the largest output.
    """

    model: "torch.nn.Module" = field(repr=False)
    channels: dict[str, tuple[int, int]]
    uncut: dict[str, str]
    parameters: int
    compact_parameters: int
    zeros: int
    seconds: float
    compact_seconds: float
    difference: float

    @property
    def speedup(self) -> float:
        """Time of the masked model over that of the compact one."""
        return self.seconds / self.compact_seconds

    def __str__(self) -> str:
        left = self.compact_parameters
        lines = [
            f"{left} of {self.parameters} parameters, {self.speedup:.2f} times as fast as the masked model",
            f"outputs differ by {self.difference:.0e} of the largest",
        ]
        if self.zeros:
            lines.append(
                f"{self.zeros} weights left are zeros that no filter goes with: PyTorch computes them all the same"
            )
        lines += [f"{name}: filters of zeros stay, {why}" for name, why in self.uncut.items()]
        return "\n".join(lines)


def compact(
    model: "torch.nn.Module", masks: Mapping[str, Any] | None = None, *, example: Any, quiet: bool = False
) -> Compacted:
    """Remove from a model the channels that its masks disconnect, in all layers that share them.

    Torch-Pruning (``pip install 'deeptheory[compact]'``) finds what has to go together: sums, concatenations,
    norms, depthwise convolutions, flattened positions. A channel goes if no layer has weights left to read it, or
    if the layers that write it have none left and what remains of it, a bias or the shift of a norm, is constant
    where it is read. One such channel of every group stays and takes over the constants of the others
    (`prune.find_removal`).

    Parameters
    ----------
    model : torch.nn.Module
        Not changed.
    masks : mapping of str to array, optional
        As `apply_masks` takes them; those in force in the model and zeros of its weights count as well.
    example : tensor or array (n, ...)
        Inputs of the model. Their number is that for which the times are taken.
    quiet : bool
        Take no times; they are NaN.

    Returns
    -------
    Compacted

    Raises
    ------
    InputError
        Torch-Pruning is not installed or cannot trace the model; nothing can be removed, as with masks of kernels;
        sizes are written into the forward pass; or outputs differ by more than 1e-5 of the largest.
    """
    copied = masked_copy(model, masks or {}, example)
    transposed = as_linear(needed("torch", "torch"), copied)
    masked = LiveModel(copied)
    torch, x = masked.torch, as_input(masked, example)
    values, positions = observed(masked, samples(torch, x))
    listed = attentions(masked, first_of(torch, x))
    small = LiveModel(copy.deepcopy(masked.model))
    found = ChannelGroups(small, first_of(torch, x), listed)
    whole = [group for group in found.groups if group.uncut and group.readers]
    for group in found.groups:
        cut, keeper = removable(masked, group, values, positions)
        if cut and keeper is not None:
            hand_over(small, group, cut, keeper, values)
        if cut:
            found.cut(group, cut)
    unbiased, headed = dict[str, str](), dict[str, str]()
    for attention in listed:
        if masked.modules[attention.reader].bias is None:
            why = f"'{attention.reader}' has no bias to take over what is constant of their heads"
            unbiased |= dict.fromkeys(attention.writers, why)
        if heads := removable_heads(masked, attention, values):
            if attention.uncut:
                headed |= dict.fromkeys(attention.writers, attention.uncut)
            else:
                cut_heads(small, attention, heads, values)
    sizes = {name: (_n_out(masked, name), _n_out(small, name)) for name in positions}
    channels = {name: both for name, both in sizes.items() if both[0] != both[1]}
    uncut = {name: group.uncut for group in whole for name in _with_empty_filters(small, group.writers)}
    uncut |= {name: why for name, why in unbiased.items() if uncut.get(name) == PARTS_OF_HEADS}
    uncut = headed | uncut
    if not channels:
        raise _nothing_to_cut(masked, uncut)
    frozen = {
        name.removesuffix(ORIGINAL) for name, tensor in model.named_parameters() if not tensor.requires_grad
    }
    for name, tensor in small.model.named_parameters():
        tensor.requires_grad_(name not in frozen)
    difference = difference_of(masked, small, samples(torch, x))
    seconds = (np.nan, np.nan) if quiet else times_of(masked, small, x)
    zeros = sum(int((tensor == 0).sum()) for tensor in small.model.parameters() if tensor.ndim > 1)
    as_before(torch, small.model, transposed)
    return Compacted(
        small.model.eval(),
        channels,
        uncut,
        _count(masked),
        _count(small),
        zeros,
        *seconds,
        difference,
    )


def _with_empty_filters(live: LiveModel, writers: Mapping[str, Any]) -> list[str]:
    weights = {name: live.modules[name].weight.detach() for name in writers}
    return [name for name, weight in weights.items() if not weight.flatten(1).any(1).all()]


def _nothing_to_cut(live: LiveModel, uncut: Mapping[str, str]) -> InputError:
    """What is said of masks that make no filter useless: those of kernels and of weights, mostly."""
    if uncut:
        name, why = next(iter(uncut.items()))
        return InputError("masks", "filters that can be removed", f"those of '{name}', which stay: {why}")
    weights = [module.weight for module in live.modules.values() if live.mixes(module)]
    share = 1 - sum(int((w != 0).sum()) for w in weights) / sum(w.numel() for w in weights)
    found = f"zeros in {share:.0%} of the weights and no filter without a use, so that nothing gets faster"
    do = (
        "mask whole filters: channel_masks, or masks(granularity='filter'); kernel masks gain in this package "
        "(deeptheory import, compact), not in PyTorch"
    )
    return InputError("masks", "filters that nothing reads or nothing writes", found, do)


def _n_out(live: LiveModel, name: str) -> int:
    return len(live.modules[name].weight)


def _count(live: LiveModel) -> int:
    return sum(parameter.numel() for parameter in live.model.parameters())
