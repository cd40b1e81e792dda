"""Links as a code host follows them: to files of the root, which get pages here, or named as their file."""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
PAGES = {
    "CHANGELOG.md": "reference/changelog.md",
    "CONTRIBUTING.md": "reference/contributing.md",
    "VISION.md": "reference/vision.md",
}
HOME = {"README.md": "index.md"}
NAMED = re.compile(r"\[[\w/-]+\.md\]\(([^)]+)\)")


def of_the_site(text: str, to_root: str, to_docs: str) -> str:
    """The text of a page with its links as the site has them; `to_root` and `to_docs` begin them in the file."""
    for file, page in (PAGES | HOME).items():
        text = text.replace(f"]({to_root}{file}", f"](/{page}")
    if to_docs:
        text = text.replace(f"]({to_docs}", "](/")
    return NAMED.sub(r"[](\1)", text)  # which shows the title


def write_pages(app: Sphinx, config: Any) -> None:
    """Write the pages of the root's files beside the others, before Sphinx looks for pages."""
    for file, page in PAGES.items():
        text = of_the_site((ROOT / file).read_text(encoding="utf-8"), "", "docs/")
        written = Path(app.srcdir) / page
        if not written.exists() or written.read_text(encoding="utf-8") != text:
            written.write_text(text, encoding="utf-8")


def follow(app: Sphinx, page: str, source: list[str]) -> None:
    """The same for the pages of this folder."""
    source[0] = of_the_site(source[0], "../", "")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", write_pages)
    app.connect("source-read", follow)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
