"""Files that one process of many makes: on any file system, of any of the machines that share it."""

import contextlib
import os
from pathlib import Path
from secrets import token_hex

from deeptheory.store.regular_files import require_regular

LARGEST = 1 << 16  # characters that are read


def create(path: Path, text: str) -> bool:
    """Make a file with its text unless there is one; whether it was made here.

    It appears with its whole text, as a hard link to a complete file. On a file system without hard links it is
    exclusive too, but for a moment empty: a reader has to take an incomplete one for one that is being made.
    """
    whole = _written(path, text)
    try:
        os.link(whole, path)
    except FileExistsError:
        with contextlib.suppress(OSError):  # it is gone again, or a link to itself
            return os.path.samefile(whole, path)  # of NFS, which asked twice because an answer was lost
        return False
    except OSError:
        return _create_in_place(path, text)
    finally:
        whole.unlink()
    return True


def replace(path: Path, text: str) -> None:
    """Give a file another text at once; it is the caller who makes sure that no other process does."""
    os.replace(_written(path, text), path)


def read(path: Path) -> str | None:
    """The text of a file, None if there is none, "" if it cannot be read or is no regular file of some KiB."""
    try:
        require_regular(path)
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(LARGEST)
    except FileNotFoundError:
        return None
    except OSError:
        return ""


def _written(path: Path, text: str) -> Path:
    whole = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        with whole.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            whole.unlink()
        raise
    return whole


def _create_in_place(path: Path, text: str) -> bool:
    try:
        opened = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return False
    try:
        os.write(opened, text.encode())
        os.fsync(opened)
    except BaseException:
        path.unlink()  # incomplete, it would stand in the way of all
        raise
    finally:
        os.close(opened)
    return True
