"""HTML elements; all text that comes from a run is escaped here."""

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from deeptheory.reports.html.glossary import linked, marked
from deeptheory.tables import Table

COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
NAME = re.compile(r' id="([^"]*)"')
REFERENCE = re.compile(r'(?:href="#|url\(#)([^")]*)')
GAP = re.compile(r">\s+(?=<)|\s*\n\s*")


def table_html(table: Table) -> str:
    """A table with its title as caption, headers with a scope, and its notes below."""
    sides = ["text" if column in table.left else "number" for column in range(len(table.header))]
    head = "".join(
        f'<th scope="col" class="{side}">{linked(name)}</th>' if name else "<td></td>"
        for name, side in zip(table.header, sides, strict=True)
    )
    # On small screens every row of verdicts is a block of lines; browsers forget that it is a table unless told.
    judged = "verdict" in table.header
    stacked = ' class="stacked" role="table"' if judged else ""
    row_role, head_role, cell_role = (f' role="{role}"' * judged for role in ("row", "rowheader", "cell"))
    lines = [
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(table.title)}">',
        f"<table{stacked}><caption>{escape(table.title)}</caption>",
        f"<thead><tr>{head}</tr></thead><tbody>",
    ]
    for row in table.rows:
        first, *others = zip(row, sides, strict=True)
        cells = [f'<th scope="row"{head_role} class="{first[1]}">{escape(first[0])}</th>']
        cells += [
            f'<td{cell_role} class="{side}"{_named(name) * judged}>{escape(cell)}</td>'
            for (cell, side), name in zip(others, table.header[1:], strict=True)
        ]
        lines.append(f"<tr{row_role}>{''.join(cells)}</tr>")
    notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
    return "\n".join([*lines, "</tbody></table></div>", f'<ul class="notes">{notes}</ul>' if notes else ""])


def _named(name: str) -> str:
    return f' data-name="{escape(name)}"'


def figure_html(svg: str, caption: str) -> str:
    """A figure with its caption, which is also its text for screen readers.

    The style gets the width of the drawing, so that it shrinks on small screens only as far as it stays legible.
    """
    width = svg.split(' width="', 1)[1].split('"', 1)[0]
    drawn = _compact(svg).replace(
        "<svg ", f'<svg role="img" aria-label="{escape(caption)}" style="--width: {width}" ', 1
    )
    return f'<figure><div class="paper">{drawn}</div><figcaption>{marked(caption)}</figcaption></figure>'


def _compact(svg: str) -> str:
    """The same drawing without comments, indentation, and names that nothing refers to."""
    used = set(REFERENCE.findall(svg))
    without = NAME.sub(lambda found: found[0] if found[1] in used else "", COMMENT.sub("", svg))
    return GAP.sub(lambda found: ">" if found[0].startswith(">") else " ", without)


def section(name: str, title: str, parts: Sequence[str]) -> str:
    """A section that can be linked to by its name."""
    inside = "\n".join(parts)
    return f'<section id="{escape(name)}">\n<h2>{escape(title)}</h2>\n{inside}\n</section>'


def details(summary: str, parts: Sequence[str], opened: bool = False) -> str:
    """Content that the reader unfolds."""
    inside = "\n".join(parts)
    return f"<details{' open' * opened}><summary>{escape(summary)}</summary>\n{inside}\n</details>"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def json_html(name: str, numbers: Mapping[str, Any]) -> str:
    """Numbers and names for the scripts of the report; no text in them can end the element."""
    text = json.dumps(numbers, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f'<script type="application/json" id="{escape(name)}">{text}</script>'


def data_html(name: str, packed: str) -> str:
    """Arrays as `field_levels.packed` gives them, for the scripts of the report."""
    return f'<script type="text/plain" id="{escape(name)}">{packed}</script>'
