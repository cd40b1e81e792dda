"""Arrays by name in a safetensors file, which is written completely or not at all."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from deeptheory.errors import InputError
from deeptheory.interop.optional_packages import needed
from deeptheory.nn.layers.base import Array
from deeptheory.store.atomic_files import replacing_file


def write_tensors(
    path: str | os.PathLike[str], arrays: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write arrays by name; an existing file of that name is replaced.

    Raises
    ------
    InputError
        safetensors is not installed, or the file cannot be written.
    """
    target, safetensors = Path(path), needed("safetensors.numpy")
    content = safetensors.save({name: np.ascontiguousarray(a) for name, a in arrays.items()}, dict(metadata))
    try:
        with replacing_file(target) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise InputError(f"tensors {target}", "a place that can be written", str(error)) from error


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays of a safetensors file by name, and its metadata.

    Raises
    ------
    InputError
        safetensors is not installed, or the file is missing or damaged.
    """
    safetensors = needed("safetensors")
    if not Path(path).is_file():
        raise InputError("tensors", "a safetensors file", f"no file {path}")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, TypeError, safetensors.SafetensorError) as error:
        raise InputError(f"tensors {path}", "a complete safetensors file", str(error)) from error
