"""The navigation: what index.md lists, a heading with its links, becomes a part of the table of contents."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

WIDE = ("theory",)
HEADING, LINK = re.compile(r"^## (.+)$"), re.compile(r"^- \[[^]]*\]\(/?([\w/.-]+)\.(?:md|ipynb|rst)\)")


def parts(text: str) -> dict[str, list[str]]:
    """The pages under every heading, as their names without ending."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if heading := HEADING.match(line):
            found[heading[1]] = []
        elif link := LINK.match(line):
            found[list(found)[-1]].append(link[1])
    return {title: pages for title, pages in found.items() if pages}


def add_navigation(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the tables of contents, hidden, below the text."""
    if page == app.config.root_doc:
        for title, pages in parts(source[0]).items():
            listed = "\n".join(f"/{name}" for name in pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{listed}\n```\n"


def give_width(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Leave out the list of headings beside pages whose tables need its place."""
    if page in WIDE:
        context["furo_hide_toc"] = True


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", add_navigation, priority=600)  # after links lead to pages
    app.connect("html-page-context", give_width, priority=900)  # after the theme
    return {"parallel_read_safe": True, "parallel_write_safe": True}
