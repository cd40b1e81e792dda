"""Nested tables of arrays and strings in HDF5, replaced atomically so that an interruption loses nothing."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from deeptheory.errors import InputError
from deeptheory.files import replacing_file

Tree = Mapping[str, Any]  # str -> Tree | ndarray | number | str
COMPRESSED_BELOW = 1 << 24  # bytes; larger arrays are weights or nearly incompressible fields
STRING = h5py.string_dtype()


def write_tree(group: h5py.Group, tree: Tree) -> None:
    """Write a nested table: mappings become groups, everything else a data set."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            write_tree(
                group.create_group(name, track_order=True), value
            )  # keeps the network's order of layers
        elif isinstance(value, str):
            group.create_dataset(name, data=value, dtype=STRING)
        elif isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            group.create_dataset(name, data=list(value), dtype=STRING)
        else:
            _write_array(group, name, np.asarray(value))


def _write_array(group: h5py.Group, name: str, array: np.ndarray) -> None:
    # Boolean masks and curves shrink a lot; weights do not, and are left plain.
    small = array.ndim and 256 <= array.nbytes < COMPRESSED_BELOW
    if small and (array.dtype != np.float32):
        group.create_dataset(name, data=array, compression="gzip", compression_opts=1, shuffle=True)
    else:
        group.create_dataset(name, data=array)


def read_tree(group: h5py.Group) -> dict[str, Any]:
    """Read back what `write_tree` wrote."""
    return {name: read(item) for name, item in group.items()}


def read(item: h5py.Group | h5py.Dataset) -> Any:
    """A group as a nested table, a data set as an array, a number or text."""
    if isinstance(item, h5py.Group):
        return read_tree(item)
    if h5py.check_string_dtype(item.dtype):
        text = item.asstr()[()]
        return text if isinstance(text, str) else list(text)
    value = item[()]
    return value.item() if np.ndim(value) == 0 else value


def replace_text(file: h5py.File, name: str, text: str) -> None:
    """Write one text, in place of what is there."""
    if name in file:
        del file[name]
    file.create_dataset(name, data=text, dtype=STRING)


def open_for_reading(path: Path) -> h5py.File:
    """Open an HDF5 file for reading, with a clear message when it is missing or damaged."""
    try:
        return h5py.File(path, "r", locking="best-effort")
    except FileNotFoundError as error:
        raise InputError("run", "a directory with run.h5", f"no file {path}") from error
    except OSError as error:
        raise InputError(str(path), "a readable HDF5 file", str(error), "restore it or start anew") from error


@contextmanager
def replacing(path: Path) -> Iterator[h5py.File]:
    """A writable copy of an HDF5 file (or a new one) that replaces it only when the block succeeds."""
    with replacing_file(path) as temporary:
        if path.exists():
            shutil.copyfile(path, temporary)
            mode = "r+"
        else:
            mode = "w"
        with h5py.File(temporary, mode, locking="best-effort") as file:
            yield file
