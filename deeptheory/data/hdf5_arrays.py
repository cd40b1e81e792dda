"""Arrays of HDF5 files that anyone may have written."""

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from deeptheory.data.array_names import SETS
from deeptheory.data.row_blocks import row_blocks
from deeptheory.data.stored_array import StoredArray, stays_in_file
from deeptheory.errors import InputError
from deeptheory.store import hdf5
from deeptheory.store.hdf5_heaps import require_whole_heaps
from deeptheory.store.hdf5_reading import item_at, place_of, stored_checksum
from deeptheory.system.memory import require_memory

UNCOMPRESSED = "write it in one piece: h5repack -l CONTI -f NONE OLD.h5 NEW.h5"


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """A file, once its heaps of texts are known to end."""
    require_whole_heaps(path)
    with h5py.File(path, "r", locking="best-effort") as file:
        yield file


def array_names(file: h5py.File) -> list[str]:
    """Names of what lies in the file, and in groups that are named as a set: "train/images"."""
    names = []
    for name in file:
        inner = item_at(file, name) if name.lower() in sum(SETS.values(), ()) else None
        names += [f"{name}/{entry}" for entry in inner] if isinstance(inner, h5py.Group) else [name]
    return names


def read(file: h5py.File, names: Iterable[str]) -> dict[str, Any]:
    """Arrays and lists of texts; images that are too many for the memory stay in the file.

    Raises
    ------
    InputError
        An entry that is damaged, elsewhere, no array, or compressed images that exceed the memory.
    """
    entries, arrays = hdf5.OpenFile(file), dict[str, Any]()
    for name in names:
        item = item_at(file, name)
        if isinstance(item, h5py.Group):
            entries.read_array(name)  # which refuses it
        stored = _stored(item, name)
        arrays[name] = entries.entry(name) if stored is None else stored
    return arrays


def _stored(item: h5py.Dataset, name: str) -> StoredArray | None:
    """Images that stay in the file, compared with their checksum; None where they are to be read."""
    place, path = place_of(item), Path(item.file.filename)
    if not stays_in_file(item.shape, item.nbytes):
        return None
    if place is None:
        require_memory(f"'{name}' in {path}", item.nbytes, UNCOMPRESSED)
        return None
    array = StoredArray.at(path, place, item.shape, item.dtype)
    expected, found = stored_checksum(item), 0
    if expected is not None:
        for rows in row_blocks(array):
            found = zlib.crc32(array[rows].reshape(-1).view(np.uint8).data, found)
        if found != expected:
            raise InputError(
                f"'{name}' in {path}", "the bytes that were written", "others", "restore the file"
            )
    return array
