"""The tensors of a trained network by name: safetensors, and state dictionaries of PyTorch."""

import hashlib
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory.errors import InputError
from deeptheory.interop.optional_packages import needed
from deeptheory.nn.layers.base import Array
from deeptheory.system.memory import require_memory

SAFETENSORS, PYTORCH = (".safetensors",), (".pt", ".pth")
NESTED = ("state_dict", "model_state_dict", "model")  # keys of the state in a larger dictionary
WRAPPERS = ("module.", "_orig_mod.")  # prefixes of all names by DataParallel and torch.compile
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
SMALLER = "use a smaller network, or a machine with more memory"
SAVE = "save model.state_dict() with torch.save, or as safetensors"


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
        unchanged. Prefixes of wrappers are removed from the names.
    converted : dict of str to str
        Tensors that were stored in another precision, with that precision.
    """

    path: Path
    sha256: str
    tensors: dict[str, Array]
    converted: dict[str, str]


def read_state(path: str | os.PathLike[str]) -> StateFile:
    """Read `.safetensors`, or a state dictionary in `.pt` or `.pth`.

    A state dictionary is read without running any code of the file. It may be an entry of a larger dictionary,
    under "state_dict", "model_state_dict" or "model".

    Raises
    ------
    InputError
        The file is missing, damaged, of another kind or larger than the free memory; a pickle contains more than
        tensors (a whole model, or code); a precision or layout is not supported; numbers are not finite; or the
        package that reads the file is not installed.
    """
    path = Path(path)
    known = " or ".join((*SAFETENSORS, *PYTORCH))
    if path.suffix not in (*SAFETENSORS, *PYTORCH):
        raise InputError(f"file {path}", f"{known}", f"'{path.suffix}'", SAVE)
    if not path.is_file():
        raise InputError("file of tensors", known, f"no file {path}")
    require_memory(f"file {path}", 3 * path.stat().st_size, SMALLER)
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"file {path}", "a file that can be read", str(error)) from error
    read = _read_safetensors if path.suffix in SAFETENSORS else _read_state_dictionary
    tensors, converted = read(path)
    if not tensors:
        raise InputError(f"file {path}", "tensors by name", "none", SAVE)
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            found = f"{np.count_nonzero(~np.isfinite(tensor))} others among {tensor.size} in '{name}'"
            raise InputError(f"file {path}", "finite numbers", found, "save an earlier checkpoint")
    return StateFile(path, sha256, *_unwrapped(tensors, converted))


def _unwrapped(
    tensors: dict[str, Array], converted: dict[str, str]
) -> tuple[dict[str, Array], dict[str, str]]:
    for prefix in WRAPPERS:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
            converted = {name.removeprefix(prefix): dtype for name, dtype in converted.items()}
    return tensors, converted


def _read_safetensors(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    safetensors = needed("safetensors")
    try:
        stored = dict(safetensors.deserialize(path.read_bytes()))
    except safetensors.SafetensorError as error:
        raise _damaged(path, "a complete safetensors file", error) from error
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


def _read_state_dictionary(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    torch = needed("torch", "torch")
    tensors, converted = {}, {}
    for name, tensor in _state(path, _unpickled(torch, path)).items():
        if not isinstance(tensor, torch.Tensor):
            raise InputError(f"'{name}' in {path}", "a tensor", type(tensor).__name__, SAVE)
        dtype = str(tensor.dtype).removeprefix("torch.")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
            found = f"{dtype}, {str(tensor.layout).removeprefix('torch.')}"
            raise InputError(f"'{name}' in {path}", "a dense tensor of real numbers", found, "convert it")
        # A tensor may repeat few numbers along many axes, so its size says nothing about that of the file.
        require_memory(f"'{name}' in {path}", 3 * tensor.element_size() * tensor.numel(), SMALLER)
        try:
            if tensor.is_floating_point():
                if tensor.dtype != torch.float32:
                    converted[name] = dtype
                tensor = tensor.to(torch.float32)
            tensors[name] = np.array(tensor.detach().numpy())
        except (RuntimeError, TypeError) as error:  # without data, or of a type that NumPy has not
            raise InputError(f"'{name}' in {path}", "a tensor with its numbers", f"{error}", SAVE) from error
    return tensors, converted


def _unpickled(torch: Any, path: Path) -> Any:
    """The contents of the file as torch.load gives them, restricted to tensors and plain containers."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(member.file_size for member in archive.infolist())
            require_memory(f"file {path}", 3 * unpacked, SMALLER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))
        found = f"a pickle that asks for {asked[1]}" if asked else "a pickle that is damaged or asks for more"
        raise InputError(
            f"file {path}", "a state dictionary of tensors", f"{found}; nothing of it was run", SAVE
        ) from error
    except InputError:
        raise
    except Exception as error:  # damaged bytes make torch raise many kinds
        raise _damaged(path, "a complete state dictionary", error) from error


def _state(path: Path, loaded: Any) -> Mapping[str, Any]:
    """The state dictionary: all that was loaded, or one entry of it."""
    if isinstance(loaded, Mapping):
        for key in NESTED:
            if isinstance(entry := loaded.get(key), Mapping):
                return entry
        if all(isinstance(name, str) for name in loaded) and any(
            hasattr(v, "dtype") for v in loaded.values()
        ):
            return loaded
        found = f"a dictionary with {', '.join(map(repr, list(loaded)[:5])) or 'nothing'}"
    else:
        found = f"a {type(loaded).__name__}"
    raise InputError(f"file {path}", "a state dictionary of tensors", found, SAVE)


def _damaged(path: Path, expected: str, error: Exception) -> InputError:
    said = " ".join(str(error).split()).split(". ")[0]  # the advice that follows is for developers
    said = said or type(error).__name__
    return InputError(f"file {path}", expected, f"one that cannot be read ({said})", "copy it again")
