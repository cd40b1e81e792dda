"""Atomic files: written completely or not at all, so that an interruption loses nothing."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

from deeptheory.errors import InputError
from deeptheory.system import interruption

UNFINISHED = ".*.part"  # temporary files of processes that were killed while writing


@contextlib.contextmanager
def replacing_file(path: Path, previous: Path | None = None) -> Iterator[Path]:
    """A temporary path, to be written in the block, that replaces `path` if the block succeeds.

    The file is synced first. A request to stop (`interruption`) is served after that.

    Parameters
    ----------
    path : Path
        In a directory that exists; an old file of that name is unchanged until then.
    previous : Path, optional
        Keep the old file under this name, in the same directory.

    Raises
    ------
    OSError
        The file cannot be written. No temporary file is left, whatever the block raises.
    """
    temporary, old = _temporary(path), _temporary(path)
    with interruption.deferred():
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            if previous is not None:
                _add_name(path, old, previous)
            os.replace(temporary, path)
            if old.exists():
                assert previous is not None
                os.replace(old, previous)
            _sync_directory(path.parent)
        finally:
            with contextlib.suppress(OSError):  # the first error is the one to report
                temporary.unlink(missing_ok=True)
                old.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{token_hex(4)}.part")


def _add_name(path: Path, second: Path, renamed: Path) -> None:
    """Give a file, if it exists, a second name, so that a complete file exists under the first at any time."""
    try:
        os.link(path, second)
    except FileNotFoundError:
        return
    except OSError:  # a file system without hard links
        os.replace(path, renamed)


def _sync_directory(directory: Path) -> None:
    """Sync a directory, without which new names may be lost; some file systems do not support it."""
    with contextlib.suppress(OSError):
        opened = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def write_text(path: Path, text: str) -> None:
    """Write a text file, in UTF-8."""
    with replacing_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file; `InputError` where it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}", "a readable JSON file", str(error), "write it anew") from error
