"""Nested tables of arrays and strings in HDF5: every data set with its checksum, files replaced atomically."""

import io
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from deeptheory.errors import InputError
from deeptheory.store.atomic_files import replacing_file
from deeptheory.store.error_buffer import Disk
from deeptheory.store.hdf5_reading import (
    CHECKSUM,
    Memory,
    content,
    item_at,
    require_readable,
    stored_checksum,
)
from deeptheory.store.regular_files import require_regular
from deeptheory.store.small_entries import SmallEntries
from deeptheory.store.typed_readers import Entry, StoredTree, TypedReaders

Tree = Mapping[str, Any]  # str -> Tree | ndarray | number | str
COMPRESSED_BELOW = 1 << 24  # bytes; larger arrays are weights or nearly incompressible fields
STRING = h5py.string_dtype()
LIBVER = ("v110", "v110")  # the oldest format that has checksums of its own for everything but the data
BLOCK = 1 << 26  # bytes read at a time to verify a data set


def write_tree(group: h5py.Group, tree: Tree) -> None:
    """Write nested mappings: a mapping becomes a group, everything else a data set."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            write_tree(
                group.create_group(name, track_order=True), value
            )  # keeps the network's order of layers
        elif isinstance(value, str):
            write(group, name, value, dtype=STRING)
        elif isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            write(group, name, list(value), dtype=STRING)
        else:
            _write_array(group, name, np.asarray(value))


def _write_array(group: h5py.Group, name: str, array: np.ndarray) -> None:
    # Masks and curves compress well; float32 weights do not, and stay uncompressed.
    small = array.ndim and 256 <= array.nbytes < COMPRESSED_BELOW
    if small and (array.dtype != np.float32):
        write(group, name, array, compression="gzip", compression_opts=1, shuffle=True)
    else:
        write(group, name, array)


def write(group: h5py.Group, name: str, value: str | list[str] | np.ndarray, **options: Any) -> None:
    """Write one data set with its checksum; `options` are those of `h5py.Group.create_dataset`.

    Raises
    ------
    InputError
        A text with a NUL, at which it would end.
    """
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    if odd := [text for text in texts if "\0" in text]:
        raise InputError(f"text '{name}'", "one without NUL", ascii(odd[0]))
    add_checksum(group.create_dataset(name, data=value, **options), value)


def add_checksum(item: h5py.Dataset, value: Any = None) -> None:
    """Store the checksum of a data set with it; `value` is its content, if that is in memory."""
    item.attrs[CHECKSUM] = np.uint32(sum_on_disk(item) if value is None else _checksum(value))


class OpenFile(TypedReaders):
    """The entries of an open file, as `write_tree` wrote them; "/" is the whole file.

    Parameters
    ----------
    file : h5py.File

    Raises
    ------
    InputError
        By all readers, also if the checksum of a data set is wrong (one without a checksum is not checked), and
        for what lies outside of the file or exceeds the memory (`hdf5_reading`).
    """

    def __init__(self, file: h5py.File) -> None:
        self.file, self._memory, self._small = file, Memory(), SmallEntries(file.id)

    def small_entry(self, path: str) -> Entry | None:
        """The entry where it is found the quick way; None says nothing about it."""
        return self._small.read(path)

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def entry(self, path: str) -> Entry:
        if (small := self.small_entry(path)) is not None:
            return small
        try:
            item = item_at(self.file, path)
            if item is None:
                raise KeyError("no such entry")
            return _read(item, self._memory)
        except InputError:
            raise
        except Exception as error:  # h5py raises many types of errors on damaged files
            raise _damaged(self.file, path, f"{error}") from error

    def location(self, path: str) -> str:
        return f"'{path}' in {self.file.filename}"


def has(group: h5py.Group, path: str) -> bool:
    """Whether an entry exists; `InputError` if damage prevents the answer."""
    try:
        return item_at(group, path) is not None
    except InputError:
        raise
    except Exception as error:
        raise _damaged(group, path, f"{error}") from error


def require_own_entries(file: h5py.File) -> None:
    """Refuse a file with links elsewhere: whoever wrote through one would change what it names.

    Raises
    ------
    InputError
        An external or a symbolic link anywhere in the file, or damage that prevents the answer.
    """
    found: list[str] = []

    def note(name: bytes, link: Any) -> None:
        if link.type != h5py.h5l.TYPE_HARD:
            found.append(name.decode("utf-8", "replace"))

    try:
        file.id.links.visit(note, info=True)
    except Exception as error:  # h5py raises many types of errors on damaged files
        raise _damaged(file, "/", f"{error}") from error
    for name in found:
        item_at(file, name)


def entry_names(group: h5py.Group, path: str) -> list[str]:
    """Names of the entries of a group in a group."""
    try:
        return list(item_at(group, path) or ())
    except InputError:
        raise
    except Exception as error:
        raise _damaged(group, path, f"{error}") from error


def _read(item: h5py.Group | h5py.Dataset, memory: Memory) -> Entry:
    if isinstance(item, h5py.Group):
        inner = {name: item_at(item, name) for name in item}
        return StoredTree(
            {name: _read(entry, memory) for name, entry in inner.items()},
            item.file.filename,
            item.name.strip("/"),
        )
    value = content(item, memory)
    if stored_checksum(item) not in (None, _checksum(value)):
        raise _damaged(item.file, item.name, "others")
    return value.item() if isinstance(value, np.generic) else value


def _checksum(value: Any) -> int:
    if isinstance(value, str | list):
        return zlib.crc32("\0".join([value] if isinstance(value, str) else value).encode())
    return zlib.crc32(_bytes(value))


def _bytes(array: Any) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _damaged(group: h5py.Group, path: str, found: str) -> InputError:
    file = Path(group.file.filename)
    return InputError(f"'{path}' in {file}", "the bytes that were written", found, _way_back(file))


def _way_back(path: Path) -> str:
    """How to recover from a damaged file, for error messages."""
    if previous_of(path).exists():
        return f"the next step that is computed goes back to {previous_of(path).name}"
    return "restore it or start anew"


def replace_text(file: h5py.File, name: str, text: str) -> None:
    """Write one text, replacing an old one."""
    if name in file:
        del file[name]
    write(file, name, text, dtype=STRING)


def open_for_reading(path: Path) -> h5py.File:
    """Open an HDF5 file for reading, with a clear message when it is missing or damaged."""
    try:
        require_regular(path)
        return h5py.File(path, "r", locking="best-effort")
    except FileNotFoundError as error:
        raise InputError("run", "a directory with run.h5", f"no file {path}") from error
    except OSError as error:
        raise InputError(str(path), "a readable HDF5 file", str(error), _way_back(path)) from error


@contextmanager
def replacing(path: Path, anew: bool = False) -> Iterator[h5py.File]:
    """A writable copy of an HDF5 file, or a new file, that replaces it if the block succeeds.

    The old version is kept as `previous_of(path)`. With `anew` the new file starts empty.
    """
    with replacing_file(path, previous_of(path)) as temporary:
        if copied := path.exists() and not anew:
            shutil.copyfile(path, temporary)
        with open_for_writing(temporary, "r+" if copied else "w") as file:
            if copied:
                require_own_entries(file)
            yield file


@contextmanager
def open_for_writing(path: Path, mode: str = "w") -> Iterator[h5py.File]:
    """An HDF5 file that is written in the block, in the mode of `h5py.File`: "w" or "r+".

    Raises
    ------
    OSError
        The disk is full or fails. (HDF5 itself may end the process in that case.)
    """
    with io.FileIO(path, f"{mode[0]}b+") as raw:
        disk = Disk(raw, path)
        try:
            with h5py.File(disk, mode, libver=LIBVER) as file:
                yield file
        finally:
            if disk.error:
                raise disk.error


def previous_of(path: Path) -> Path:
    """Path of the previous version of a file: `run.previous.h5`. It may be deleted at any time."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def sum_on_disk(item: h5py.Dataset) -> int:
    """The checksum of a data set, read in parts."""
    require_readable(item)
    if h5py.check_string_dtype(item.dtype) or not item.ndim or not item.size:
        return _checksum(content(item, Memory()))
    rows, total = max(1, BLOCK // max(1, item.nbytes // len(item))), 0
    for start in range(0, len(item), rows):
        total = zlib.crc32(_bytes(item[start : start + rows]), total)
    return total
