"""The disk cache of compiled kernels."""

import contextlib
import functools
import hashlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from deeptheory.system import instructions, old_kernels

PACKAGE = Path(__file__).parents[1]


def cache_directory() -> Path:
    """`$DEEPTHEORY_CACHE`, else `deeptheory` in `$XDG_CACHE_HOME`, else `~/.cache/deeptheory`."""
    if chosen := os.environ.get("DEEPTHEORY_CACHE"):
        return Path(chosen)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "deeptheory"
    try:
        home = Path.home()
    except RuntimeError:  # of a user without a home directory
        home = Path("/")
    return home / ".cache" / "deeptheory"


def kernel_directory() -> Path | None:
    """The directory of the compiled kernels of these sources; None, with one warning, if it cannot be written.

    It lies in `$NUMBA_CACHE_DIR` where that is set, otherwise in `cache_directory()`.
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    return _writable_directory(Path(chosen) if chosen else cache_directory() / "kernels")


def kernels_are_compiled() -> bool:
    """Whether compiled kernels of these sources lie on disk, from an earlier start."""
    directory = kernel_directory()
    return directory is not None and any(directory.rglob("*.nbi"))


@contextlib.contextmanager
def caching_in(directory: Path) -> Iterator[None]:
    """Functions that are decorated in the block are kept in this directory; others in the process are not."""
    import numba

    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(directory)
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before


@functools.cache
def _writable_directory(parent: Path) -> Path | None:
    directory = parent / _fingerprint()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError:
        warnings.warn(
            f"compiled kernels cannot be kept in {directory}: every start compiles them again; "
            "set DEEPTHEORY_CACHE to a directory you can write to",
            stacklevel=2,
        )
        return None
    old_kernels.hold(directory)
    if parent == cache_directory() / "kernels":  # another directory may hold kernels of other programs
        old_kernels.remove(parent, directory)
    return directory


def _fingerprint() -> str:
    """A hash of everything that compiled kernels follow from and that Numba does not look at.

    It recompiles a function when its own file changes but not when one that it calls does (numba#1833), nor when
    the vectors or its level of optimisation are others.
    """
    import numba

    digest = hashlib.sha256(f"{instructions.vectors()} {numba.config.OPT}".encode())
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_bytes()
        if b"njit" in text or b"intrinsic" in text:
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + text)
    return digest.hexdigest()[:16]
