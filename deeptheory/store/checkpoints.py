"""The state of long work in a file, written every few minutes, from which the work goes on."""

import os
import time
from pathlib import Path

from deeptheory.errors import InputError
from deeptheory.store import hdf5, integrity
from deeptheory.store.typed_readers import StoredTree

INTERVAL = 300.0  # seconds


class CheckpointStore:
    """The checkpoint of one piece of work; the file before the last one is kept for the case of damage.

    Parameters
    ----------
    path : path
        Its directory must exist and be writable.
    interval : float
        Seconds from one checkpoint to the next: what a process that is killed loses at most.
    """

    def __init__(self, path: str | os.PathLike[str], interval: float = INTERVAL) -> None:
        self.path, self.interval = Path(path), interval
        self.written = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the last checkpoint, or the start, is longer ago than the interval."""
        return time.monotonic() - self.written >= self.interval

    def load(self) -> StoredTree | None:
        """The last whole checkpoint, or None when there is none.

        A damaged file is put aside and the one before it taken.

        Raises
        ------
        InputError
            All there is is damaged.
        """
        integrity.mend(self.path)
        if not self.path.exists():
            return None
        with hdf5.open_for_reading(self.path) as file:
            return hdf5.OpenFile(file).read_tree("/")

    def save(self, state: hdf5.Tree) -> None:
        """Replace the file; an `InputError` (read-only directory, full disk) leaves the old one as it was."""
        try:
            with hdf5.replacing(self.path, anew=True) as file:
                hdf5.write_tree(file, state)
        except OSError as error:
            raise InputError(f"checkpoint {self.path}", "a place that can be written", str(error)) from error
        self.written = time.monotonic()

    def remove(self) -> None:
        """Delete all files of it: the work is done."""
        self.path.unlink(missing_ok=True)
        hdf5.previous_of(self.path).unlink(missing_ok=True)
