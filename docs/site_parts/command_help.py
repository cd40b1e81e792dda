"""Lines that a command's help shows as they are, its examples above all, are code on the site too."""

from typing import Any

from sphinx.application import Sphinx

BAR = "| "  # put by sphinx-click before the lines of such a paragraph


def show_as_written(app: Sphinx, context: Any, lines: list[str]) -> None:
    """Make a block of code of them, below the line that names them."""
    shown: list[str] = []
    for before, line in zip(["", *lines], lines, strict=False):
        if not line.startswith(BAR):
            shown.append(line)
            continue
        text = line.removeprefix(BAR)
        if not before.startswith(BAR):
            title = text.strip() if text.rstrip().endswith(":") else ""
            shown += [title, "", ".. code-block:: none", ""]
            if title:
                continue
        shown.append(f"   {text.removeprefix('  ')}")
    lines[:] = shown


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("sphinx-click-process-description", show_as_written)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
