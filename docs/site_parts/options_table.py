"""The directive `options`: every option of a table of options with its type, default, range and meaning.

Their names between backticks, in all pages, are links to it.
"""

import importlib
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import msgspec
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx

from deeptheory.options import Options
from deeptheory.runs.configuration import Config
from deeptheory.store.toml import toml_value

PAGE = "reference/options"
BOUNDS = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
COLUMNS = "option", "type and range", "default", "meaning"


def tables(struct: type[Options], name: str = "") -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Every table of a struct, its own options first: its name and a row for each option."""
    fields = msgspec.structs.fields(struct)
    inner = [field for field in fields if isinstance(field.type, type) and issubclass(field.type, Options)]
    rows = [_row(name, field) for field in fields if field not in inner]
    if rows:
        yield name, rows
    for field in inner:
        yield from tables(field.type, f"{name}.{field.name}".lstrip("."))


def _row(table: str, field: msgspec.structs.FieldInfo) -> tuple[str, ...]:
    meta = [part for part in getattr(field.type, "__metadata__", ()) if isinstance(part, msgspec.Meta)]
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()  # type: ignore[operator]
    meaning = next((part.description for part in meta if part.description), "")
    name = f"{table}.{field.name}".lstrip(".")
    return f"``{name}``", _kind(field.type), f"``{toml_value(default)}``", str(meaning)


def _kind(annotation: Any) -> str:
    """A type in words, with its range."""
    if origin := getattr(annotation, "__metadata__", None):
        bounds = [
            f"{words} {getattr(meta, name):g}"
            for meta in origin
            for name, words in BOUNDS
            if isinstance(meta, msgspec.Meta) and getattr(meta, name) is not None
        ]
        return ", ".join([_kind(annotation.__origin__), *bounds])
    if get_origin(annotation) is Literal:
        return " | ".join(f"``{choice}``" for choice in get_args(annotation))
    if get_origin(annotation) in (tuple, list):
        return f"list of {_kind(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return "table"
    return {int: "whole number", float: "number", bool: "true | false", str: "text"}[annotation]


def anchor(name: str) -> str:
    """Where an option is on its page."""
    return f"option-{name}"


class OptionsTable(Directive):
    """``.. options:: module.Struct``, with the name of its table where it is not that of a whole file."""

    required_arguments = 1
    option_spec = {"table": directives.unchanged}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].rpartition(".")
        struct = getattr(importlib.import_module(module), name)
        lines = []
        for table, rows in tables(struct, self.options.get("table", "")):
            title = f"[{table}]" if table else "Without a table"
            lines += [title, "-" * len(title), ""]
            lines += [".. list-table::", "   :header-rows: 1", "   :widths: 25 20 20 35", ""]
            for row in (COLUMNS, *rows):
                lines += [f"   {'*' if number == 0 else ' '} - {cell}" for number, cell in enumerate(row)]
            lines += [""]
        parent = nodes.section()
        parent.document = self.state.document
        self.state.nested_parse(StringList(lines, "options"), self.content_offset, parent, match_titles=1)
        for row in parent.findall(nodes.row):
            if name := next((literal.astext() for literal in row.findall(nodes.literal)), ""):
                row["ids"].append(anchor(name))
        return parent.children


def link_options(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Make links of the names of options in the other pages."""
    if page == PAGE:
        return
    known = {row[0].strip("`") for _, rows in tables(Config) for row in rows if "." in row[0]}
    for literal in list(tree.findall(nodes.literal)):
        name = literal.astext()
        if name in known and not isinstance(literal.parent, nodes.reference | nodes.title):
            uri = f"{app.builder.get_relative_uri(page, PAGE)}#{anchor(name)}"
            literal.replace_self(nodes.reference("", "", literal.deepcopy(), refuri=uri, internal=True))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("options", OptionsTable)
    app.connect("doctree-resolved", link_options)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
