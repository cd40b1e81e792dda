"""IDX files, the format of MNIST and Fashion-MNIST, plain or gzipped."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.arrays import from_arrays
from deeptheory.data.dataset import Dataset
from deeptheory.data.files import SMALLER
from deeptheory.errors import InputError
from deeptheory.system.memory import require_memory

SPLITS = ("train", "t10k")
UNSIGNED_BYTE = 8  # the code of the element type


def is_idx(path: Path) -> bool:
    """Whether the directory holds any image file of this layout."""
    return any(_find(path, split, "images", 3).is_file() for split in SPLITS)


def read_idx(path: Path, quiet: bool = False) -> Dataset:
    """Read train-images-idx3-ubyte, train-labels-idx1-ubyte and the two t10k files, each plain or `.gz`.

    Labels are named by their number.

    Raises
    ------
    InputError
        A file is missing, is not IDX of unsigned bytes, or has another size than its header says.
    """
    del quiet  # it takes less than the two seconds from which progress is shown
    train, test = (_read_split(path, split) for split in SPLITS)
    return from_arrays(*train, *test, name=path.name)


def _read_split(path: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return _read_array(_find(path, split, "images", 3), 3), _read_array(_find(path, split, "labels", 1), 1)


def _find(path: Path, split: str, kind: str, n_axes: int) -> Path:
    """The file of one array; its official name if there is none."""
    names = [f"{split}-{kind}{mark}idx{n_axes}-ubyte{gz}" for gz in ("", ".gz") for mark in "-."]
    return next((path / name for name in names if (path / name).is_file()), path / names[0])


def _read_array(path: Path, n_axes: int) -> NDArray[np.uint8]:
    if not path.is_file():
        raise InputError(f"IDX file {path}", "the file, plain or with .gz", "no such file")
    header = 4 + 4 * n_axes
    first = _beginning(path, header)
    if len(first) < header:
        raise InputError(f"IDX file {path}", f"at least {header} bytes", f"{len(first)} bytes")
    magic, *shape = struct.unpack(f">{1 + n_axes}I", first)
    if magic != (UNSIGNED_BYTE << 8) + n_axes:
        expected = f"magic number {(UNSIGNED_BYTE << 8) + n_axes} (unsigned bytes, {n_axes} axes)"
        raise InputError(f"IDX file {path}", expected, f"{magic}")
    expected_bytes = header + math.prod(shape)
    require_memory(f"IDX file {path}", expected_bytes, SMALLER)
    content = _beginning(path, expected_bytes + 1)
    if len(content) != expected_bytes:
        raise InputError(
            f"IDX file {path}",
            f"{expected_bytes} bytes (header and {' x '.join(map(str, shape))})",
            f"{len(content)} bytes" + " or more" * (len(content) > expected_bytes),
            "download it again",
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _beginning(path: Path, size: int) -> bytes:
    """The first bytes, unpacked; not more, since a small gzip file may become very large."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.read(size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as failure:
        found = f"{path.stat().st_size} bytes that do not decompress ({failure})"
        raise InputError(f"IDX file {path}", "a complete gzip file", found, "download it again") from failure
