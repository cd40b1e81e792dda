"""Directories of runs that are made in Python: those that are named, and temporary ones."""

import os
import shutil
import tempfile
import weakref
from pathlib import Path


class Place:
    """The directory of a run or study; a temporary one is deleted with this object, or at the end of the program.

    Parameters
    ----------
    out : path or None
        None makes a temporary directory.
    name : str
        Of the directory in a temporary one.
    within : Place, optional
        One that contains it, and lives as long.
    """

    def __init__(
        self, out: str | os.PathLike[str] | None, name: str = "run", within: "Place | None" = None
    ) -> None:
        self.within = within
        self.temporary: bool = out is None or (within is not None and within.temporary)
        if out is None:
            above = tempfile.mkdtemp(prefix="deeptheory-")
            weakref.finalize(self, _remove, above, os.getpid())
            self.directory = Path(above) / name
        else:
            self.directory = Path(out).expanduser()

    @property
    def text(self) -> str:
        """The directory, as the objects that lie in it say it."""
        return "in a temporary directory, deleted with this object" if self.temporary else f"{self.directory}"


def _remove(directory: str, process: int) -> None:
    if os.getpid() == process:  # not at the end of a child that was forked
        shutil.rmtree(directory, ignore_errors=True)
