"""TOML: tables from files that anyone may have written, and values to write, which the standard library cannot."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from deeptheory.errors import InputError
from deeptheory.store.regular_files import require_regular

LARGEST = 1 << 20  # bytes; parsing takes a second for so many
DEEPEST = 50  # levels of tables and lists
INTEGERS = range(-(2**63), 2**63)


def read_toml(path: Path) -> dict[str, Any]:
    """The table of a file.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        More than 1 MB, not UTF-8, or as `parse_toml`.
    """
    require_regular(path)
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"{path} has more than {LARGEST} bytes")
    return parse_toml(content.decode("utf-8"))


def parse_toml(text: str) -> dict[str, Any]:
    """The table of a text.

    Raises
    ------
    ValueError
        No TOML (`tomllib.TOMLDecodeError`), integers that do not fit into 64 bits, or more than 50 levels of
        tables and lists.
    """
    try:
        table = tomllib.loads(text)
    except RecursionError as error:
        raise ValueError(f"more than {DEEPEST} levels of tables and lists") from error
    level: list[Any] = [table]
    for _ in range(DEEPEST):
        inner = [value for part in level for value in (part.values() if isinstance(part, dict) else part)]
        if any(isinstance(value, int) and value not in INTEGERS for value in inner):
            raise ValueError("an integer of more than 64 bits")
        level = [value for value in inner if isinstance(value, dict | list)]
    if level:
        raise ValueError(f"more than {DEEPEST} levels of tables and lists")
    return table


def toml_value(value: Any) -> str:
    """One value as TOML; `InputError` for a path or another text that is not Unicode."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        try:
            text = msgspec.json.encode(value).decode()
        except UnicodeEncodeError as error:
            raise InputError("path or text", "text in UTF-8", ascii(value), "rename it") from error
        return text.replace("\x7f", "\\u007F")  # the one control character that JSON has and TOML has not
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return repr(value)
