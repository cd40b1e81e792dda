"""The state of a network among what is saved with it, and its names and masks as they were before wrapping."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory.data.pickled_arrays import PickledArray
from deeptheory.errors import InputError
from deeptheory.interop.state.torch_files import SAVE
from deeptheory.interop.state.torch_pickles import StoredTensor
from deeptheory.nn.layers.base import Array

NESTED = ("state_dict", "model_state_dict", "model", "net")  # keys of the state in a larger dictionary
WRAPPERS = ("module.", "_orig_mod.", "model.")  # by DataParallel, torch.compile and Lightning
ORIGINAL, MASK = "_orig", "_mask"  # what torch.nn.utils.prune appends to the name of a parameter


def find_state(path: Path, loaded: Any, notes: list[str]) -> Mapping[str, Any]:
    """The state dictionary: one entry of what was loaded, or all of it.

    Parameters
    ----------
    path : Path
    loaded : object
        Of `torch_files.read_torch_file`.
    notes : list of str
        Which entry was taken is added.

    Raises
    ------
    InputError
        There is none, or several entries under other names than those of `NESTED` could be it.
    """
    if not isinstance(loaded, dict):
        raise InputError(f"file {path}", "a state dictionary of tensors", f"a {type(loaded).__name__}", SAVE)
    entries = [key for key in NESTED if isinstance(loaded.get(key), dict)]
    entries = entries or [key for key, entry in loaded.items() if _is_state(entry)]
    if not entries and any(map(_is_tensor, loaded.values())):
        return {str(name): tensor for name, tensor in loaded.items()}
    if not entries or (len(entries) > 1 and entries[0] not in NESTED):
        which = "several states: " if entries else "a dictionary with "
        found = which + (", ".join(map(repr, entries or list(loaded)[:5])) or "nothing")
        raise InputError(f"file {path}", "a state dictionary of tensors", found, SAVE)
    others = ", ".join(f"'{key}'" for key in loaded if key != entries[0])
    notes.append(
        f"the tensors are the entry '{entries[0]}' of the file" + f"; beside it: {others}" * bool(others)
    )
    return {str(name): tensor for name, tensor in loaded[entries[0]].items()}


def unwrapped(tensors: Mapping[str, Array], notes: list[str]) -> dict[str, str]:
    """Every name without the prefixes that all names have: of wrappers around the network."""
    names = {name: name for name in tensors}
    while prefix := next((p for p in WRAPPERS if all(name.startswith(p) for name in names.values())), ""):
        names = {full: name.removeprefix(prefix) for full, name in names.items()}
        notes.append(f"the prefix '{prefix}' is taken off all names")
    return names


def unmasked(tensors: Mapping[str, Array], notes: list[str]) -> dict[str, Array]:
    """Parameters times their masks by `torch.nn.utils.prune`, under their own names."""
    masked = [
        name.removesuffix(ORIGINAL)
        for name in tensors
        if name.endswith(ORIGINAL) and name.removesuffix(ORIGINAL) + MASK in tensors
    ]
    found = {}
    for name, tensor in tensors.items():
        if (own := name.removesuffix(ORIGINAL)) != name and own in masked:
            found[own] = tensor * (tensors[own + MASK] != 0)
        elif name.removesuffix(MASK) == name or name.removesuffix(MASK) not in masked:
            found[name] = tensor
    if masked:
        kept = sum(int(np.count_nonzero(tensors[name + MASK])) for name in masked)
        size = sum(tensors[name + MASK].size for name in masked)
        notes.append(f"masks of {len(masked)} parameters, which keep {kept} of {size} weights, are applied")
    return found


def _is_tensor(value: Any) -> bool:
    return isinstance(value, StoredTensor | PickledArray)


def _is_state(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_is_tensor, value.values()))
