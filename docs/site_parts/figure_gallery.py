"""The directive `gallery`: the pictures of docs/gallery, what their captions say, and the commands that made them.

Pictures and captions are what `figures/all.py --out docs/gallery` wrote, of real results; no build draws anew.
"""

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
PICTURES = DOCS / "gallery"


def picture(name: str) -> str:
    """The file of a figure below docs: in the gallery, or where another page shows it too."""
    return f"gallery/{name}.png" if (PICTURES / f"{name}.png").exists() else f"{name}.png"


def entry(caption: Path) -> list[str]:
    """One figure in reStructuredText: its caption has the name, what it shows, facts and the commands."""
    name, shows, *facts, results, figure = caption.read_text(encoding="utf-8").splitlines()
    commands = [*results.partition(": ")[2].split("; "), figure.partition(": ")[2]]
    lines = [name, "-" * len(name), "", shows, "", f".. image:: /{picture(name)}", f"   :alt: {shows}", ""]
    lines += [".. code-block:: sh", "", *(f"   {command}" for command in commands), ""]
    return [*lines, *(f"| {fact}" for fact in facts), ""]


class Gallery(Directive):
    """``.. gallery::``"""

    def run(self) -> list[nodes.Node]:
        lines = [line for caption in sorted(PICTURES.glob("*.txt")) for line in entry(caption)]
        parent = nodes.section()
        parent.document = self.state.document
        self.state.nested_parse(StringList(lines, "gallery"), self.content_offset, parent, match_titles=1)
        return parent.children


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("gallery", Gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
