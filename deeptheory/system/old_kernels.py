"""Directories of compiled kernels that no version in use needs any more."""

import contextlib
import os
import re
import shutil
import time
from pathlib import Path

MARK = "used"  # a file whose time says when a process last used its directory; processes hold a lock on it
UNUSED = 30 * 24 * 3600  # seconds after which a directory may go
OURS = re.compile("[0-9a-f]{16}")  # the names of directories
KERNELS = (".nbi", ".nbc")  # the ends of Numba's files

_held: list[int] = []  # descriptors, closed, and so unlocked, by the end of the process


def hold(directory: Path) -> None:
    """Mark a directory as used, now and until this process ends."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory / MARK, os.O_WRONLY | os.O_CREAT)
        os.utime(directory / MARK)
        _held.append(descriptor)
        _lock(descriptor, shared=True)


def remove(parent: Path, kept: Path) -> None:
    """Remove the directories of kernels in `parent` but `kept` that no process has used for 30 days.

    A directory stays where a process holds its lock, where locks do not work, and where it holds other files.
    """
    with contextlib.suppress(OSError):
        for directory in parent.iterdir():
            if directory != kept and OURS.fullmatch(directory.name) and not directory.is_symlink():
                with contextlib.suppress(OSError):
                    _remove_unused(directory)


def _remove_unused(directory: Path) -> None:
    mark, oldest = directory / MARK, time.time() - UNUSED
    if (mark if mark.exists() else directory).stat().st_mtime > oldest:
        return
    files = [path for path in directory.rglob("*") if path.is_symlink() or not path.is_dir()]
    if any(path.suffix not in KERNELS and path != mark for path in files):
        return
    # Versions before this one left no mark: reading a kernel is seen in the time of access.
    if any(max(path.stat().st_mtime, path.stat().st_atime) > oldest for path in files if path != mark):
        return
    with mark.open("ab") as file:
        if _lock(file.fileno(), shared=False):
            shutil.rmtree(directory, ignore_errors=True)


def _lock(descriptor: int, shared: bool) -> bool:
    """Whether this process got the lock, which it does not wait for."""
    try:
        import fcntl

        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True
