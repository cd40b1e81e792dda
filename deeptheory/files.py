"""Files that are written whole or not at all, so that an interruption loses nothing."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

from deeptheory.errors import InputError


@contextlib.contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """A path beside `path`, to be written in the block: synced and put in its place when the block succeeds.

    Parameters
    ----------
    path : Path
        In a directory that exists; an old file of that name stays as it is until then.

    Raises
    ------
    OSError
        Where it cannot be written. No other file is left, whatever the block raises.
    """
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # what went wrong before is what the user has to know
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, in UTF-8."""
    with replacing_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file; `InputError` where it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}", "a readable JSON file", str(error), "write it anew") from error
