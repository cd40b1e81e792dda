"""Bytes of files, once it is known that they are regular files that fit into memory; and whether they changed."""

import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR

from deeptheory.errors import InputError
from deeptheory.system.memory import require_memory

SMALLER = "use a smaller data set, or a machine with more memory"
DEPTH = 3  # of the files of a data set below its directory, at most: train/LABEL/FILE


def checked_size(path: Path, what: str, copies: int = 1) -> int:
    """Size of a file in bytes.

    Parameters
    ----------
    path : Path
    what : str
        What it is, for the error: "IDX file".
    copies : int
        How many times as much memory its content takes.

    Raises
    ------
    InputError
        No regular file (a directory, a FIFO, which would be waited for, a device), or more than the free memory.
    """
    if not path.is_file():
        raise InputError(f"{what} {path}", "a file", "none, or none that is a regular file")
    size = path.stat().st_size
    require_memory(f"{what} {path}", copies * size, SMALLER)
    return size


def read_bytes(path: Path, what: str, copies: int = 1) -> bytes:
    """All bytes of a file, under the conditions of `checked_size`."""
    size = checked_size(path, what, copies)
    with path.open("rb") as file:
        return file.read(size)


def version(path: Path) -> int:
    """A number that changes with a file, or with the files of a directory: sizes, times of change and inodes."""
    return hash(frozenset(_states(str(path.expanduser()), DEPTH)))


def _states(path: str, depth: int) -> Iterator[tuple[str, int, int, int]]:
    try:
        stat = os.stat(path)
        entries = os.listdir(path) if depth and S_ISDIR(stat.st_mode) else []
    except OSError:  # it is missing, or no data of this user
        return
    yield path, stat.st_size, stat.st_mtime_ns, stat.st_ino
    for name in entries:
        yield from _states(os.path.join(path, name), depth - 1)
