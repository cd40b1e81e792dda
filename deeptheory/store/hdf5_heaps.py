"""The heaps that hold the texts of an HDF5 file, checked because HDF5 reads a damaged one for ever."""

import mmap
from pathlib import Path

from deeptheory.errors import InputError

SIGNATURE = b"GCOL\x01"  # with the version
LEAST = 4096  # bytes of a heap
HEADER = 16  # bytes of a heap before its first object, and of an object before its content
ALIGNED = 8


def require_whole_heaps(path: Path) -> None:
    """Refuse a file of which any heap holds an object that ends nowhere.

    It searches the whole file, at the speed of the disk. That pixels or weights look like a heap is as good as
    impossible (signature and size together).

    Raises
    ------
    InputError
        With the place of the heap.
    """
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(SIGNATURE)
        while start >= 0:
            if not _is_whole(content, start):
                found = f"one at byte {start} that ends nowhere"
                do = "do not trust this file, or write it again"
                raise InputError(f"{path}", "whole heaps of texts", found, do)
            start = content.find(SIGNATURE, start + 1)


def _is_whole(content: mmap.mmap, start: int) -> bool:
    """Whether the objects of a heap follow each other up to its end."""
    end, place = start + _number(content, start + 8), start + HEADER
    if not start + LEAST <= end <= len(content):  # HDF5 itself refuses that
        return True
    while place + HEADER <= end:
        index, size = int.from_bytes(content[place : place + 2], "little"), _number(content, place + 8)
        # Object 0 is the free rest, its header included.
        taken = HEADER + -(-size // ALIGNED) * ALIGNED if index else size
        if not 0 < taken <= end - place:
            return False
        place += taken
    return True


def _number(content: mmap.mmap, place: int) -> int:
    return int.from_bytes(content[place : place + 8], "little")
