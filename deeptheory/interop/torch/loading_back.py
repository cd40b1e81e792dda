"""Retrained tensors and masks loaded into the model that a run was imported from."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deeptheory.data.array_like import array_of
from deeptheory.errors import InputError
from deeptheory.interop.optional_packages import needed
from deeptheory.interop.state.checkpoints import WRAPPERS
from deeptheory.interop.state.state_files import IGNORED
from deeptheory.interop.torch.masks import apply_masks
from deeptheory.interop.torch.names import MASK, ORIGINAL

if TYPE_CHECKING:
    import torch


def load_back(
    model: "torch.nn.Module", tensors: Mapping[str, Any], masks: Mapping[str, Any] | None = None
) -> None:
    """Load tensors by the model's own names, and mask it so that the zeros remain in training.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place. Its names may have a prefix of a wrapper (``module.``, ``_orig_mod.``, ``model.``).
    tensors : mapping of str to array
        Of all its parameters and buffers: those of an arm of an imported run (`runs.exports.tensors_of_arm`,
        ``deeptheory export --to state``, `read_state`), or a state dictionary.
    masks : mapping of str to array, optional
        By parameter name, as `apply_masks` takes them.

    Raises
    ------
    InputError
        A tensor is missing, has no place in the model, or has another shape; nothing is changed then. As
        `apply_masks`.
    """
    torch = needed("torch", "torch")
    places = {
        name.removesuffix(ORIGINAL): tensor
        for name, tensor in model.state_dict(keep_vars=True).items()
        if not name.endswith((IGNORED, MASK))
    }
    prefix = next((p for p in ("", *WRAPPERS) if all(p + name in places for name in tensors)), "")
    for what, names in (
        ("tensors that the model lacks", [name for name in tensors if prefix + name not in places]),
        ("missing tensors", [name for name in places if name.removeprefix(prefix) not in tensors]),
    ):
        if names:
            do = "take the model that the network was imported from"
            raise InputError(what, "none", ", ".join(map(repr, names[:5])), do)
    arrays = {prefix + name: array_of(tensor, f"tensor '{name}'") for name, tensor in tensors.items()}
    for name, array in arrays.items():
        if array.shape != tuple(places[name].shape):
            raise InputError(f"tensor '{name}'", f"shape {tuple(places[name].shape)}", f"shape {array.shape}")
    with torch.no_grad():
        for name, array in arrays.items():
            places[name].copy_(torch.from_numpy(array.copy()))
    apply_masks(model, {prefix + name: mask for name, mask in (masks or {}).items()})
