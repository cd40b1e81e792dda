"""A masked PyTorch model beside its compact one: the copy that is cut, equal outputs, and times."""

import copy
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from deeptheory.errors import InputError
from deeptheory.interop.torch.live_model import LiveModel
from deeptheory.interop.torch.masks import apply_masks, masks_of

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-5  # of the outputs of masked and compact model, relative to the largest of them
SAMPLES = 2  # batches of noise on which they are compared beside the example
ROUNDS = 15  # calls of either model that are timed


def masked_copy(model: "torch.nn.Module", masks: Mapping[str, Any], example: Any) -> "torch.nn.Module":
    """A copy of a model in evaluation mode, its masks and others in its weights, no parameter frozen."""
    live = LiveModel(model)
    with live.hooked({}):  # leaves masked parameters without a graph, so that they can be copied
        live.called(first_of(live.torch, as_input(live, example)))
    copied = copy.deepcopy(model).eval()
    apply_masks(copied, masks)
    for name in masks_of(copied):
        module, _, parameter = name.rpartition(".")
        live.torch.nn.utils.prune.remove(copied.get_submodule(module), parameter)
    for tensor in copied.parameters():
        tensor.grad = None
        tensor.requires_grad_(tensor.is_floating_point())
    return copied


def as_input(live: LiveModel, example: Any) -> Any:
    """Inputs on the device of the model, in its precision: a tensor, or a dictionary or list of tensors."""
    if isinstance(example, Mapping):
        return {name: as_input(live, value) for name, value in example.items()}
    if isinstance(example, list | tuple):
        return [as_input(live, value) for value in example]
    tensor = live.torch.as_tensor(example).to(live.device)
    return tensor.to(live.dtype) if tensor.is_floating_point() else tensor


def first_of(torch: Any, x: Any) -> Any:
    """The first of the inputs."""
    return torch.utils._pytree.tree_map(lambda tensor: tensor[:1], x)


def samples(torch: Any, x: Any) -> Any:
    """The example and noise of its scale; of other inputs than one tensor of floats the example alone."""
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        return x
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((SAMPLES * len(x), *x.shape[1:]), generator=generator).to(x)
    return torch.cat([x, noise * x.std().clamp(min=1e-3)])


def difference_of(masked: LiveModel, small: LiveModel, x: Any) -> float:
    """The largest difference of the outputs, relative to the largest; raises above the tolerance."""
    torch = masked.torch
    with masked.hooked({}), small.hooked({}):
        expected = masked.called(x)
        try:
            found = small.called(x)
        except RuntimeError as failure:
            said = str(failure).partition("\n")[0]
            expected_form = "a forward pass that takes its sizes from its inputs and layers"
            raise InputError(
                "model", expected_form, f"one that fails with fewer channels: {said}"
            ) from failure
    leaves = (torch.utils._pytree.tree_leaves(of) for of in (expected, found))
    worst = 0.0
    for of_masked, of_small in zip(*leaves, strict=True):
        if not isinstance(of_masked, torch.Tensor):
            continue
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


def times_of(masked: LiveModel, small: LiveModel, x: Any) -> tuple[float, float]:
    """Median seconds of a call of both, in turn."""
    torch, seconds = masked.torch, ([], [])  # type: tuple[Any, tuple[list[float], list[float]]]
    wait: Callable[[], None] = torch.cuda.synchronize if masked.device.type == "cuda" else lambda: None
    with masked.hooked({}), small.hooked({}):
        for _ in range(ROUNDS + 1):
            for live, taken in zip((masked, small), seconds, strict=True):
                wait()
                started = time.perf_counter()
                live.called(x)
                wait()
                taken.append(time.perf_counter() - started)
    return float(np.median(seconds[0][1:])), float(np.median(seconds[1][1:]))
