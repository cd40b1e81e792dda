"""Masks applied to and read from a model, by ``torch.nn.utils.prune``, and in safetensors files."""

import difflib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.array_like import array_of
from deeptheory.errors import InputError
from deeptheory.interop.optional_packages import needed
from deeptheory.interop.state.tensor_files import read_tensors, write_tensors
from deeptheory.interop.torch.names import MASK, ORIGINAL
from deeptheory.interop.torch.passes import unwrapped

if TYPE_CHECKING:
    import torch

# Modules that use the weights of the layers in them without calling these.
USING = ("MultiheadAttention", "ShiftedWindowAttention", "ShiftedWindowAttentionV2")


def apply_masks(model: "torch.nn.Module", masks: Mapping[str, Any]) -> None:
    """Mask parameters of a model by ``torch.nn.utils.prune.custom_from_mask``; in training the zeros remain.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place: a parameter ``weight`` becomes ``weight_orig`` times the buffer ``weight_mask``.
        Construct the optimiser afterwards. ``torch.nn.utils.prune.remove`` makes the zeros permanent.
    masks : mapping of str to array or tensor
        By parameter name ("features.40.weight"), of the parameter's shape, 1 or True where kept, for example
        `prune.Masks`. Where a parameter is masked already, the weights that both masks keep remain.

    Raises
    ------
    InputError
        A name that the model lacks, another shape, or values other than 0 and 1; the model is then not changed.
    """
    torch, pruning = needed("torch", "torch"), needed("torch.nn.utils.prune", "torch")
    model = unwrapped(torch, model)
    known = _parameters(model)
    checked = {}
    for name, mask in masks.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            do = f"did you mean '{near[0]}'?" if near else "see model.named_parameters()"
            raise InputError("masks", "names of parameters of the model", f"'{name}'", do)
        checked[name] = _checked(name, mask, tuple(known[name].shape))
    for name, kept in checked.items():
        module, _, parameter = name.rpartition(".")
        mask = torch.tensor(kept).to(known[name].device, known[name].dtype)
        pruning.custom_from_mask(model.get_submodule(module), parameter, mask)
        above = model.get_submodule(module.rpartition(".")[0])
        if type(above).__name__ in USING and module and _mask_parts not in above._forward_pre_hooks.values():
            above.register_forward_pre_hook(_mask_parts)


def _mask_parts(module: Any, given: Any) -> None:
    """Mask the weights in the layers of a module anew, as a call of these would do."""
    pruning = needed("torch.nn.utils.prune", "torch")
    for layer in module.children():
        for hook in layer._forward_pre_hooks.values():
            if isinstance(hook, pruning.BasePruningMethod):
                hook(layer, ())


def masks_of(model: "torch.nn.Module") -> dict[str, NDArray[np.bool_]]:
    """The masks in force in a model, by parameter name, True where kept; empty where there is none."""
    model = unwrapped(needed("torch", "torch"), model)
    parameters = dict(model.named_parameters())
    masks = {
        name.removesuffix(MASK): mask.float() for name, mask in model.named_buffers() if name.endswith(MASK)
    }
    return {name: _checked(name, mask) for name, mask in masks.items() if f"{name}{ORIGINAL}" in parameters}


def save_masks(path: str | os.PathLike[str], masks: Mapping[str, Any]) -> None:
    """Write masks to a safetensors file, uint8 by parameter name, 1 where kept.

    Raises
    ------
    InputError
        safetensors is not installed, values other than 0 and 1, or a file that cannot be written.
    """
    write_tensors(path, {name: _checked(name, mask).astype(np.uint8) for name, mask in masks.items()}, {})


def load_masks(path: str | os.PathLike[str]) -> dict[str, NDArray[np.bool_]]:
    """The masks of a file that `save_masks` wrote, by parameter name, True where kept.

    Raises
    ------
    InputError
        safetensors is not installed, the file is missing or damaged, or has values other than 0 and 1.
    """
    return {name: _checked(name, mask) for name, mask in read_tensors(path)[0].items()}


def _parameters(model: "torch.nn.Module") -> dict[str, Any]:
    """Parameters by the names that they had before masking."""
    return {name.removesuffix(ORIGINAL): parameter for name, parameter in model.named_parameters()}


def _checked(name: str, mask: Any, shape: tuple[int, ...] | None = None) -> NDArray[np.bool_]:
    what = f"mask of '{name}'"
    array = array_of(mask, what)
    if shape is not None and array.shape != shape:
        raise InputError(what, f"shape {shape}", f"shape {array.shape}")
    if other := array[(array != 0) & (array != 1)][:1].tolist():
        raise InputError(what, "0 and 1 only", f"{other[0]}", "compare the scores to get a mask")
    return array.astype(np.bool_)
