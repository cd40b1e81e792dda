"""What commands print: tables as data, as plain text and as HTML, their numbers as JSON."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

GAP = "  "
COMPUTED = ("=", "+", "-", "@", "\t", "\r")  # beginnings of what spreadsheets take for a formula


@dataclass(frozen=True, repr=False)
class Table:
    """One table; `str` makes plain text of it, and a notebook shows it as HTML.

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

    __repr__ = __str__

    def _repr_html_(self) -> str:
        sides = ["left" if column in self.left else "right" for column in range(len(self.header))]

        def line(kind: str, cells: Sequence[str]) -> str:
            shown = zip(cells, sides, strict=True)
            inside = "".join(
                f'<{kind} style="text-align: {side}">{escape(cell)}</{kind}>' for cell, side in shown
            )
            return f"<tr>{inside}</tr>"

        body = "".join(line("td", row) for row in self.rows)
        caption = f'<caption style="text-align: left">{escape(self.title)}</caption>'
        notes = "".join(f"<div>{escape(note)}</div>" for note in self.notes)
        return f"<table>{caption}<thead>{line('th', self.header)}</thead><tbody>{body}</tbody></table>{notes}"


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


@dataclass(frozen=True, repr=False)
class Summary:
    """A text for people, its numbers for programs, and its tables for other layouts."""

    text: str
    numbers: dict[str, Any]
    tables: tuple[Table, ...] = ()

    @classmethod
    def of_tables(cls, numbers: dict[str, Any], *tables: Table) -> "Summary":
        """Whose text is its tables, one below the other."""
        return cls("\n\n".join(map(str, tables)), numbers, tables)

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        shown = [table._repr_html_() for table in self.tables]
        return "\n".join(shown) if shown else f"<pre>{escape(self.text)}</pre>"


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
