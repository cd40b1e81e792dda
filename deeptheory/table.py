"""Tables: their cells as data, and as plain text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

GAP = "  "


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
        return "\n".join([self.title, *table(self.header, self.rows, self.left), *self.notes])


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
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
