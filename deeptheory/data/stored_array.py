"""Arrays larger than the memory: they stay in their file, of which rows are read as they are asked for."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.system import memory

COPIES = 4  # of the images that a run holds at a time, at most (`runs.estimates.memory_law`)


@dataclass(frozen=True)
class StoredArray:
    """An array whose bytes lie one after the other in a file, row by row.

    Not a memory map: that counts against limits of the address space, and a file that another process cuts short
    ends this one. The system keeps what was read as long as there is room.

    Parameters
    ----------
    path : Path
    offset : int
        Of its first byte.
    shape : tuple of int
    dtype : numpy.dtype
    version : tuple of int
        Size and time of the last change of the file, after which its rows are refused.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    version: tuple[int, int]

    @classmethod
    def at(cls, path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> "StoredArray":
        """The array at a place of a file as it is now."""
        return cls(path, offset, shape, dtype, _version(path.stat()))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[Any]:
        """Some rows, in memory.

        Raises
        ------
        InputError
            The file was changed since it was opened, or is gone.
        """
        index = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        read = np.empty((len(index), *self.shape[1:]), self.dtype)
        if not read.size:
            return read
        lines = read.reshape(len(index), -1).view(np.uint8)
        ends = np.flatnonzero(np.diff(index, append=index[-1] + 2) != 1) + 1  # of rows that follow each other
        try:
            with self.path.open("rb", buffering=0) as file:
                if _version(os.fstat(file.fileno())) != self.version:
                    raise InputError(
                        f"data file {self.path}", "the file that was opened", "one changed since"
                    )
                for start, end in zip([0, *ends[:-1]], ends, strict=True):
                    file.seek(self.offset + int(index[start]) * lines.shape[1])
                    _fill(file, lines[start:end].reshape(-1))
        except OSError as failure:
            raise InputError(f"data file {self.path}", "a file that can be read", f"{failure}") from failure
        return read


def stays_in_file(shape: tuple[int, ...], n_bytes: int) -> bool:
    """Whether an array holds images that are too many for the memory, with all their copies."""
    free = memory.free_memory()
    return len(shape) > 2 and free is not None and COPIES * n_bytes > memory.MEMORY_SHARE * free


def _version(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_size, stat.st_mtime_ns


def _fill(file: Any, part: NDArray[np.uint8]) -> None:
    while len(part):
        count = file.readinto(part.data)
        if not count:
            raise OSError("it ends before the array does")
        part = part[count:]
