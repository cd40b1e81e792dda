"""The tensors of a trained network by name: safetensors, and state dictionaries of PyTorch."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory.data.pickled_arrays import PickledArray
from deeptheory.errors import InputError
from deeptheory.interop.optional_packages import needed
from deeptheory.interop.state import torch_files
from deeptheory.interop.state.checkpoints import find_state, unmasked, unwrapped
from deeptheory.interop.state.file_kinds import SAFETENSORS, kind_of
from deeptheory.interop.state.torch_pickles import StoredTensor
from deeptheory.nn.layers.base import Array
from deeptheory.system.memory import require_memory

IGNORED = "num_batches_tracked"  # a counter of PyTorch's batch norm that no output depends on
CODES = {  # of safetensors
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
NAMES = {"F64": "float64", "F16": "float16", "BF16": "bfloat16"}


@dataclass(frozen=True)
class StateFile:
    """The contents of a file of tensors.

    Attributes
    ----------
    path : Path
    sha256 : str
        Of the whole file.
    tensors : dict of str to array
        In the order of the file, with the layout of PyTorch; floating-point numbers as float32, integers
        unchanged. Prefixes of wrappers are removed from the names; parameters with a mask of
        ``torch.nn.utils.prune`` are masked.
    converted : dict of str to str
        Tensors that were stored in another precision, with that precision.
    notes : tuple of str
        What was taken out of a larger dictionary, off the names, and masked.
    """

    path: Path
    sha256: str
    tensors: dict[str, Array]
    converted: dict[str, str]
    notes: tuple[str, ...] = ()


def read_state(path: str | os.PathLike[str]) -> StateFile:
    """Read safetensors, or a state dictionary that `torch.save` or `pickle` wrote, whatever the name of the file.

    PyTorch is not needed. No code of the file is run and no class that it names is looked up: numbers of NumPy,
    paths and an ``argparse.Namespace`` beside the state are left out. The state may be an entry of a larger
    dictionary (`checkpoints.find_state`).

    Raises
    ------
    InputError
        The file is missing, damaged, of another kind or larger than the free memory; a pickle contains more than
        tensors (a whole model, or code); a precision or layout is not supported; numbers are not finite; or the
        package that reads safetensors is not installed.
    """
    path = Path(path)
    if not path.is_file():
        expected = "safetensors, or a state dictionary of PyTorch"
        raise InputError("file of tensors", expected, f"no file {path}")
    require_memory(f"file {path}", 3 * path.stat().st_size, torch_files.SMALLER)
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"file {path}", "a file that can be read", str(error)) from error
    notes: list[str] = []
    if kind_of(path) == SAFETENSORS:
        tensors, converted = _read_safetensors(path)
    else:
        tensors, converted = _read_state_dictionary(path, notes)
    if not tensors:
        raise InputError(f"file {path}", "tensors by name", "none", torch_files.SAVE)
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            found = f"{np.count_nonzero(~np.isfinite(tensor))} others among {tensor.size} in '{name}'"
            raise InputError(f"file {path}", "finite numbers", found, "save an earlier checkpoint")
    names = unwrapped(tensors, notes)
    tensors = unmasked({names[name]: tensor for name, tensor in tensors.items()}, notes)
    converted = {names[name]: dtype for name, dtype in converted.items()}
    return StateFile(path, sha256, tensors, converted, tuple(notes))


def _read_safetensors(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    safetensors = needed("safetensors")
    try:
        stored = dict(safetensors.deserialize(path.read_bytes()))
    except safetensors.SafetensorError as error:
        raise torch_files.damaged(path, "a complete safetensors file", error) from error
    tensors, converted = {}, {}
    for name, tensor in stored.items():
        code = tensor["dtype"]
        if code not in CODES:
            raise InputError(f"'{name}' in {path}", f"one of {', '.join(CODES)}", code, "convert it to F32")
        array = np.frombuffer(tensor["data"], CODES[code]).reshape(tensor["shape"])
        if code == "BF16":  # the upper half of a float32
            array = (array.astype(np.uint32) << 16).view(np.float32)
        if code in NAMES:
            converted[name] = NAMES[code]
        tensors[name] = array.astype(np.float32) if array.dtype.kind == "f" else array.copy()
    return tensors, converted


def _read_state_dictionary(path: Path, notes: list[str]) -> tuple[dict[str, Array], dict[str, str]]:
    tensors, converted = {}, {}
    for name, tensor in find_state(path, torch_files.read_torch_file(path), notes).items():
        array, dtype = _numbers(path, name, tensor)
        if array.dtype.kind == "f":
            if dtype != "float32":
                converted[name] = dtype
            array = array.astype(np.float32)
        tensors[name] = array
    return tensors, converted


def _numbers(path: Path, name: str, tensor: Any) -> tuple[Array, str]:
    """A tensor of the file, and the name of its type."""
    what = f"'{name}' in {path}"
    if isinstance(tensor, PickledArray) and tensor.value is not None:
        return np.array(tensor.value, tensor.value.dtype.newbyteorder("=")), tensor.value.dtype.name
    if not isinstance(tensor, StoredTensor):
        raise InputError(what, "a tensor", type(tensor).__name__, torch_files.SAVE)
    if tensor.storage is None:
        raise InputError(what, "a dense tensor with its numbers", tensor.kind, "convert it before saving")
    if not tensor.storage.type[1]:
        raise InputError(what, "a dense tensor of real numbers", tensor.type, "convert it before saving")
    require_memory(what, 3 * tensor.nbytes, torch_files.SMALLER)
    try:
        return tensor.array(), tensor.type
    except (ValueError, KeyError, OverflowError) as error:
        raise torch_files.damaged(path, f"the numbers of '{name}'", error) from error
