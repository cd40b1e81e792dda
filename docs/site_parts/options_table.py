"""The directive `options`: every option with its values, default and meaning, as `deeptheory config` has them.

Their names between backticks, in all other pages, are links to it.
"""

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

from deeptheory.options import Options
from deeptheory.runs.configuration import Config, complete, config_from, following
from deeptheory.runs.option_tables import fields_of, flatten, meta_of
from deeptheory.store.toml import toml_value
from deeptheory.studies.option_listing import range_of

PAGE = "reference/options"
COLUMNS = "option", "values", "default", "meaning"


def tables(
    struct: type[Options] = Config, table: str = ""
) -> Iterator[tuple[str, list[tuple[str, str, str, str]]]]:
    """Every table of options, those without a table first: its name, and a row for each option."""
    defaults = complete(config_from({}))
    values = dict(flatten(defaults))
    followed = dict(flatten(following({**defaults, "prune": {}, "retrain": {}})))
    inner = {field.name: field.type for field in fields_of(struct) if _is_table(field.type)}
    rows = []
    for field in fields_of(struct):
        name = f"{table}.{field.name}".lstrip(".")
        if field.name not in inner:
            follows = ", follows from others" if values[name] == followed.get(name) else ""
            rows.append(
                (
                    name,
                    range_of(field),
                    f"``{toml_value(values[name])}``{follows}",
                    meta_of(field).description or "",
                )
            )
    yield table, rows
    for name, kind in inner.items():
        yield from tables(kind, name)


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Options)


class OptionsTable(Directive):
    """``.. options::``"""

    def run(self) -> list[nodes.Node]:
        lines = []
        for table, rows in tables():
            title = f"[{table}]" if table else "Without a table"
            lines += [title, "-" * len(title), ""]
            lines += [".. list-table::", "   :header-rows: 1", "   :widths: 25 25 15 35", ""]
            for name, *others in (COLUMNS, *rows):
                cells = [f"``{name}``" if name != COLUMNS[0] else name, *others]
                lines += [f"   {'*' if number == 0 else ' '} - {cell}" for number, cell in enumerate(cells)]
            lines += [""]
        parent = nodes.section()
        parent.document = self.state.document
        self.state.nested_parse(StringList(lines, "options"), self.content_offset, parent, match_titles=1)
        for row in parent.findall(nodes.row):
            if name := next((literal.astext() for literal in row.findall(nodes.literal)), ""):
                row["ids"].append(anchor(name))
        return parent.children


def anchor(name: str) -> str:
    """Where an option is on its page."""
    return f"option-{name}"


def link_options(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Make links of the names of options in the other pages."""
    known = {row[0] for _, rows in tables() for row in rows if "." in row[0]} if page != PAGE else ()
    for literal in list(tree.findall(nodes.literal)):
        name = literal.astext()
        if name in known and not isinstance(literal.parent, nodes.reference | nodes.title):
            uri = f"{app.builder.get_relative_uri(page, PAGE)}#{anchor(name)}"
            literal.replace_self(nodes.reference("", "", literal.deepcopy(), refuri=uri, internal=True))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("options", OptionsTable)
    app.connect("doctree-resolved", link_options)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
