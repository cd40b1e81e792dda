"""Arrays of `.npz` files, each read only after what it claims was compared with its bytes and with the memory."""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.system.memory import require_memory

CHUNK = 1 << 24  # bytes read at a time
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: Path, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Those arrays that the file has.

    Raises
    ------
    InputError
        An array of Python objects, one whose shape does not fit its bytes, or more than the free memory.
    OSError, ValueError, zipfile.BadZipFile, zlib.error
        Damaged bytes.
    """
    with zipfile.ZipFile(path) as archive:
        members = {name: f"{name}.npy" for name in names if f"{name}.npy" in archive.namelist()}
        size = sum(archive.getinfo(member).file_size for member in members.values())
        require_memory(f"data file {path}", size, "use a smaller data set, or a machine with more memory")
        arrays = {}
        for name, member in members.items():
            with archive.open(member) as file:
                arrays[name] = _read_array(f"'{name}' in {path}", file, archive.getinfo(member).file_size)
        return arrays


def _read_array(what: str, file: IO[bytes], size: int) -> NDArray[Any]:
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
    array = np.empty(shape[::-1] if by_columns else shape, dtype)
    flat = array.reshape(-1).view(np.uint8) if held else np.empty(0, np.uint8)
    for start in range(0, held, CHUNK):
        part = flat[start : start + CHUNK]
        if file.readinto(part.data) != len(part):  # type: ignore[attr-defined]
            raise InputError(what, f"{held} bytes", "fewer", "write the file again")
    return array.T if by_columns else array
