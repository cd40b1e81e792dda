"""A physically smaller PyTorch model: without the channels that its masks leave without a use."""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from deeptheory.errors import InputError
from deeptheory.interop.torch.channel_groups import ChannelGroups
from deeptheory.interop.torch.live_model import LiveModel
from deeptheory.interop.torch.masks import ORIGINAL, apply_masks, masks_of
from deeptheory.interop.torch.removable import hand_over, observed, removable

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-5  # of the outputs of masked and compact model, relative to the largest of them
SAMPLES = 2  # batches of noise on which they are compared beside the example
ROUNDS = 15  # calls of either model that are timed


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
    masked = LiveModel(masked_copy(model, masks or {}, example))
    torch, x = masked.torch, as_input(masked, example)
    values, positions = observed(masked, _samples(torch, x))
    small = LiveModel(copy.deepcopy(masked.model))
    found = ChannelGroups(small, x[:1] if len(x) > 1 else x)
    uncut = dict[str, str]()
    for group in found.groups:
        cut, keeper = removable(masked, group, values, positions)
        if cut and keeper is not None:
            hand_over(small, group, cut, keeper, values)
        if cut:
            found.cut(group, cut)
        elif group.uncut and group.readers:
            uncut |= dict.fromkeys(_with_empty_filters(masked, group.writers), group.uncut)
    sizes = {name: (_n_out(masked, name), _n_out(small, name)) for name in positions}
    channels = {name: both for name, both in sizes.items() if both[0] != both[1]}
    if not channels:
        raise _nothing_to_cut(masked, uncut)
    frozen = {
        name.removesuffix(ORIGINAL) for name, tensor in model.named_parameters() if not tensor.requires_grad
    }
    for name, tensor in small.model.named_parameters():
        tensor.requires_grad_(name not in frozen)
    difference = _difference(masked, small, _samples(torch, x))
    seconds = (np.nan, np.nan) if quiet else _times(masked, small, x)
    return Compacted(
        small.model.eval(),
        channels,
        uncut,
        _count(masked),
        _count(small),
        sum(int((tensor == 0).sum()) for tensor in small.model.parameters() if tensor.ndim > 1),
        *seconds,
        difference,
    )


def masked_copy(model: "torch.nn.Module", masks: Mapping[str, Any], example: Any) -> "torch.nn.Module":
    """A copy of a model in evaluation mode, its masks and others in its weights, no parameter frozen."""
    live = LiveModel(model)
    with live.hooked({}):  # leaves masked parameters without a graph, so that they can be copied
        live.model(as_input(live, example)[:1])
    copied = copy.deepcopy(model).eval()
    apply_masks(copied, masks)
    for name in masks_of(copied):
        module, _, parameter = name.rpartition(".")
        live.torch.nn.utils.prune.remove(copied.get_submodule(module), parameter)
    for tensor in copied.parameters():
        tensor.grad = None
        tensor.requires_grad_(tensor.is_floating_point())
    return copied


def as_input(live: LiveModel, example: Any) -> "torch.Tensor":
    """Inputs on the device of the model, in its precision."""
    tensor: torch.Tensor = live.torch.as_tensor(example).to(live.device)
    return tensor.to(live.dtype) if tensor.is_floating_point() else tensor


def _samples(torch: Any, x: "torch.Tensor") -> "torch.Tensor":
    """The example and noise of its scale."""
    if not x.is_floating_point():
        return x
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((SAMPLES * len(x), *x.shape[1:]), generator=generator).to(x)
    return torch.cat([x, noise * x.std().clamp(min=1e-3)])


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


def _difference(masked: LiveModel, small: LiveModel, x: "torch.Tensor") -> float:
    """The largest difference of the outputs, relative to the largest; raises above the tolerance."""
    torch = masked.torch
    with masked.hooked({}), small.hooked({}):
        expected = masked.model(x)
        try:
            found = small.model(x)
        except RuntimeError as failure:
            said = str(failure).partition("\n")[0]
            expected_form = "a forward pass that takes its sizes from its inputs and layers"
            raise InputError(
                "model", expected_form, f"one that fails with fewer channels: {said}"
            ) from failure
    pairs = list(zip(*(torch.utils._pytree.tree_leaves(of) for of in (expected, found)), strict=True))
    worst = 0.0
    for of_masked, of_small in pairs:
        if of_masked.shape != of_small.shape:
            shapes = f"{tuple(of_small.shape)} instead of {tuple(of_masked.shape)}"
            raise InputError("compact model", "outputs of the same shape", shapes, "mask no outputs")
        largest = float(of_masked.abs().max())
        worst = max(worst, float((of_masked - of_small).abs().max()) / (largest or 1.0))
    if not worst <= TOLERANCE:
        expected_form = f"the outputs of the masked one to {TOLERANCE:g} of the largest"
        do = "report the model and its masks: the removal should be exact to rounding"
        raise InputError("compact model", expected_form, f"a difference of {worst:.2g}", do)
    return worst


def _times(masked: LiveModel, small: LiveModel, x: "torch.Tensor") -> tuple[float, float]:
    """Median seconds of a call of both, in turn."""
    torch, seconds = masked.torch, ([], [])  # type: tuple[Any, tuple[list[float], list[float]]]
    wait: Callable[[], None] = torch.cuda.synchronize if x.is_cuda else lambda: None
    with masked.hooked({}), small.hooked({}):
        for _ in range(ROUNDS + 1):
            for live, taken in zip((masked, small), seconds, strict=True):
                wait()
                started = time.perf_counter()
                live.model(x)
                wait()
                taken.append(time.perf_counter() - started)
    return float(np.median(seconds[0][1:])), float(np.median(seconds[1][1:]))


def _n_out(live: LiveModel, name: str) -> int:
    return len(live.modules[name].weight)


def _count(live: LiveModel) -> int:
    return sum(parameter.numel() for parameter in live.model.parameters())
