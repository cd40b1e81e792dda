"""Checkpoints of long computations, written every few minutes, from which an interrupted one continues."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from deeptheory.errors import InputError
from deeptheory.store import hdf5, integrity
from deeptheory.store.typed_readers import StoredTree

INTERVAL = 300.0  # seconds


class CheckpointStore:
    """The checkpoint of one computation; the previous file is kept in case the last one is damaged.

    Parameters
    ----------
    path : path
        Its directory must exist and be writable.
    interval : float
        Seconds between checkpoints: the most that a killed process loses.
    before : callable
        Called before every checkpoint, to store what it depends on.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        interval: float = INTERVAL,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self.path, self.interval, self.before = Path(path), interval, before
        self.written = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether more than the interval has passed since the last checkpoint or the start."""
        return time.monotonic() - self.written >= self.interval

    def load(self) -> StoredTree | None:
        """The last undamaged checkpoint, or None if there is none.

        A damaged file is kept aside, and the previous one is read.

        Raises
        ------
        InputError
            The last and the previous checkpoint are both damaged.
        """
        integrity.mend(self.path)
        if not self.path.exists():
            return None
        with hdf5.open_for_reading(self.path) as file:
            return hdf5.OpenFile(file).read_tree("/")

    def save(self, state: hdf5.Tree) -> None:
        """Replace the file; an `InputError` (read-only directory, full disk) leaves the old one as it was."""
        try:
            self.before()
            with hdf5.replacing(self.path, anew=True) as file:
                hdf5.write_tree(file, state)
        except OSError as error:
            raise InputError(f"checkpoint {self.path}", "a place that can be written", str(error)) from error
        self.written = time.monotonic()

    def remove(self) -> None:
        """Delete its files, when the computation is complete."""
        self.path.unlink(missing_ok=True)
        hdf5.previous_of(self.path).unlink(missing_ok=True)
