"""What commands print: tables as data and as plain text, their numbers as JSON."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GAP = "  "
COMPUTED = ("=", "+", "-", "@", "\t", "\r")  # beginnings of what spreadsheets take for a formula


@dataclass(frozen=True)
class Table:
    """One table; `str` makes plain text of it.

    Attributes
    ----------
    title : str
        What the numbers are, and their units.
    header : sequence of str
    rows : sequence of sequences of str
        Each as long as the header.
    left : sequence of int
        Columns of text, set to the left; the others are numbers, to the right.
    notes : sequence of str
        Lines below the table.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: Sequence[int] = (0,)
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        return "\n".join([self.title, *text_table(self.header, self.rows, self.left), *self.notes])


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Lines of a table: the header, a rule, the rows; columns in `left` to the left, the others to the right."""
    cells = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        GAP.join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


@dataclass(frozen=True)
class Summary:
    """A text for people, its numbers for programs, and its tables for other layouts."""

    text: str
    numbers: dict[str, Any]
    tables: tuple[Table, ...] = ()


def csv_cell(value: Any) -> Any:
    """A cell of a CSV file: a text that spreadsheets would compute gets an apostrophe in front, which shows it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(COMPUTED) else value


def as_json(numbers: Mapping[str, Any]) -> str:
    """Numbers as JSON, which has no NaN and no infinity: both are null."""
    return json.dumps(_finite(numbers), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
