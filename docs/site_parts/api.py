"""One page for each room: its docstring, a table of what it exports, and the docstring of every public name."""

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

ROOMS = (
    "front",
    "data",
    "nn",
    "measure",
    "theory",
    "prune",
    "judge",
    "runs",
    "runs.steps",
    "runs.estimates",
    "studies",
    "studies.sweep",
    "plugins",
    "interop.torch",
    "reports.html",
    "reports.plot",
    "bench",
)
FOLDER = "reference/api"


def public_names(room: str) -> dict[str, Any]:
    """What a room exports, by name; what the room around it exports too is described there."""
    module, around = importlib.import_module(f"deeptheory.{room}"), room.rpartition(".")[0]
    above = public_names(around) if around in ROOMS else {}
    return {name: getattr(module, name) for name in module.__all__ if name not in above}


def page(room: str) -> str:
    """The page of a room in reStructuredText."""
    module = f"deeptheory.{room}"
    names = public_names(room)
    functions = [name for name, value in names.items() if inspect.isroutine(value)]
    classes = [name for name, value in names.items() if inspect.isclass(value)]
    constants = [name for name in names if name not in {*functions, *classes}]
    lines = [module, "=" * len(module), "", f".. automodule:: {module}", "   :no-members:", ""]
    for title, members in (("Functions", functions), ("Classes", classes)):
        if members:
            lines += [title, "-" * len(title), "", ".. autosummary::", ""]
            lines += [*(f"   {name}" for name in members), ""]
            of = "function" if title == "Functions" else "class"
            for name in members:
                lines += [f".. auto{of}:: {name}", *["   :members:"] * (of == "class"), ""]
    if constants:
        lines += ["Constants", "---------", ""]
        for name in constants:
            lines += [f".. py:data:: {name}", *_value(names[name]), ""]
    return "\n".join(lines)


def _value(value: Any) -> list[str]:
    """The value of a constant, or what is in a table of many."""
    if isinstance(value, dict):
        return ["", "   Keys: " + ", ".join(f"``{key}``" for key in value)]
    return [f"   :value: {' '.join(str(value).split())}"]


def write_pages(app: Sphinx, config: Any) -> None:
    """Write the pages beside the others, before Sphinx looks for pages."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for room in ROOMS:
        text, file = page(room), folder / f"{room}.rst"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def skip_fields(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Fields of a class are described by its docstring."""
    callable_or_property = inspect.isroutine(member) or isinstance(
        member, property | classmethod | staticmethod
    )
    return None if callable_or_property or isinstance(member, ModuleType) else True


def reference(app: Sphinx, page: str, name: str, content: nodes.Node) -> nodes.Element | None:
    """A link to the public name that ends so, where there is exactly one."""
    python: Any = app.env.domains["py"]
    rooms = [f"deeptheory.{room}" for room in ROOMS]
    found = [known for known in python.objects if known.endswith(f".{name}") and _is_exported(known, rooms)]
    if len(found) != 1:
        return None
    where = python.objects[found[0]]
    return make_refnode(app.builder, page, where.docname, where.node_id, content, found[0])


def _is_exported(name: str, rooms: list[str]) -> bool:
    return name.rpartition(".")[0] in rooms


def resolve(app: Sphinx, env: Any, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
    """Find `room.name` and `name` between single backticks in docstrings; what is no public name stays code."""
    if node.get("refdomain") != "py" or node.get("reftype") != "obj":
        return None
    return reference(app, node["refdoc"], node["reftarget"], content) or content


def link_code(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Link `room.name` in the other pages, and in the tables of the theory each function's name."""
    if page.startswith(FOLDER):
        return
    public = re.compile(r"([a-z]+\.)?[A-Za-z_]\w+" if page == "theory" else r"[a-z]+\.[A-Za-z_]\w+")
    for literal in list(tree.findall(nodes.literal)):
        name = literal.astext()
        if public.fullmatch(name) and not isinstance(literal.parent, nodes.reference | nodes.title):
            literal.replace_self(reference(app, page, name, literal.deepcopy()) or literal)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", write_pages)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("missing-reference", resolve)
    app.connect("doctree-resolved", link_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
