"""Files of one array, `.npy`, read only after what they claim was compared with their bytes and the memory."""

from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.array_names import known_arrays
from deeptheory.data.files import SMALLER
from deeptheory.data.stored_array import StoredArray, stays_in_file
from deeptheory.errors import InputError
from deeptheory.system.memory import require_memory

SUFFIX = ".npy"
CHUNK = 1 << 24  # bytes read at a time
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
BY_ROWS = "write it row by row: np.save(name, np.ascontiguousarray(array))"
Arrays = dict[str, NDArray[Any] | StoredArray]


class Header(NamedTuple):
    """What the beginning of a file says of its array; `begin` is where its bytes begin."""

    shape: tuple[int, ...]
    by_columns: bool
    dtype: np.dtype[Any]
    begin: int
    n_bytes: int

    @property
    def stays_in_file(self) -> bool:
        """Whether the array is read from its file row by row."""
        return not self.by_columns and stays_in_file(self.shape, self.n_bytes)


def read_header(what: str, file: IO[bytes], size: int) -> Header:
    """The header of an array whose file has `size` bytes, with which its shape is compared.

    Raises
    ------
    InputError
        An array of Python objects, or one whose shape does not fit its bytes.
    ValueError
        Damaged bytes.
    """
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise InputError(what, "version 1 or 2 of the format", f"version {version[0]}.{version[1]}")
    shape, by_columns, dtype = HEADERS[version](file)
    if dtype.kind not in "biufSU":
        raise InputError(what, "numbers or texts", f"{dtype}", "write plain arrays")
    held = size - file.tell()
    count = int(np.prod(shape, dtype=object))
    if min(shape, default=1) < 0 or count * dtype.itemsize != held:
        expected = f"shape {shape} of {dtype}, {count * dtype.itemsize} bytes"
        raise InputError(what, expected, f"{held} bytes", "write the file again")
    return Header(shape, by_columns, dtype, file.tell(), held)


def read_content(what: str, file: IO[bytes], header: Header) -> NDArray[Any]:
    """The array after its header.

    Raises
    ------
    InputError
        The file ends before it.
    """
    array = np.empty(header.shape[::-1] if header.by_columns else header.shape, header.dtype)
    flat = array.reshape(-1).view(np.uint8) if header.n_bytes else np.empty(0, np.uint8)
    for start in range(0, header.n_bytes, CHUNK):
        part = flat[start : start + CHUNK]
        if file.readinto(part.data) != len(part):  # type: ignore[attr-defined]
            raise InputError(what, f"{header.n_bytes} bytes", "fewer", "write the file again")
    return array.T if header.by_columns else array


def is_npy_folder(path: Path) -> bool:
    """Whether the directory has a file of an array that is known by its name (`array_names`)."""
    return path.is_dir() and bool(known_arrays(array_names(path)))


def array_names(path: Path) -> list[str]:
    """Names of the arrays in a directory."""
    return [file.stem for file in path.glob(f"*{SUFFIX}")]


def read_npy_folder(path: Path, names: Iterable[str]) -> Arrays:
    """Some arrays of a directory; images that are too many for the memory stay in their files.

    Raises
    ------
    InputError
        As of `read_header`; no regular file; or more than the free memory.
    OSError, ValueError
        Damaged bytes.
    """
    arrays: Arrays = {}
    for name in names:
        place = path / f"{name}{SUFFIX}"
        what = f"data file {place}"
        if not place.is_file():
            raise InputError(what, "a file", "none, or none that is a regular file")
        with place.open("rb") as file:
            header = read_header(what, file, place.stat().st_size)
            if header.stays_in_file:
                arrays[name] = StoredArray.at(place, header.begin, header.shape, header.dtype)
            else:
                require_memory(what, header.n_bytes, BY_ROWS if header.by_columns else SMALLER)
                arrays[name] = read_content(what, file, header)
    return arrays
