"""The words of the report with their definitions: links to them, and the list that they lead to."""

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib import resources

import msgspec

AT_LENGTH = "<p>docs/concepts.md explains them at length, with pictures and the entries of run.h5.</p>"
INDEX = re.compile(r"_(\w+)")


@dataclass(frozen=True)
class Term:
    """A word, in `glossary.toml`.

    Attributes
    ----------
    name : str
    definition : str
        One sentence.
    equation : str
        In plain text; empty where there is none.
    shown : tuple of str
        Other names.
    heads : tuple of str
        Names that mean it only as the head of a column.
    """

    name: str
    definition: str
    equation: str = ""
    shown: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names."""
        return (self.name, *self.shown, *self.heads)

    @property
    def key(self) -> str:
        """Name of its entry in the page."""
        return "term-" + re.sub(r"[^A-Za-z0-9]+", "-", self.name)


@functools.cache
def terms() -> tuple[Term, ...]:
    """All words, in the order of the file."""
    text = resources.files("deeptheory.reports.html").joinpath("glossary.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["term"], tuple[Term, ...])


@functools.cache
def _names() -> Mapping[str, Term]:
    return {name: term for term in terms() for name in term.names}


@functools.cache
def _mention() -> re.Pattern[str]:
    longest_first = sorted(
        (name for term in terms() for name in (term.name, *term.shown)), key=len, reverse=True
    )
    return re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, longest_first))})(?![\w-])")


def linked(name: str, shown: str = "") -> str:
    """A word as a link to its definition, under another name if given; any other text only escaped."""
    term = _names().get(name)
    return escape(shown or name) if term is None else _link(shown or name, term)


def marked(text: str) -> str:
    """A sentence, escaped, with the first mention of every word as a link to its definition."""
    seen, parts, end = set[str](), list[str](), 0
    for found in _mention().finditer(text):
        term = _names()[found[0]]
        if term.key not in seen:
            seen.add(term.key)
            parts += [escape(text[end : found.start()]), _link(found[0], term)]
            end = found.end()
    return "".join([*parts, escape(text[end:])])


def _link(text: str, term: Term) -> str:
    return f'<a class="term" href="#{term.key}">{escape(text)}</a>'


def glossary_section() -> str:
    """Every word with its definition and equation."""
    words = "\n".join(map(_entry, terms()))
    return (
        f'<section id="words">\n<h2>Words</h2>\n{AT_LENGTH}\n<dl class="words">\n{words}\n</dl>\n</section>'
    )


def _entry(term: Term) -> str:
    equation = INDEX.sub(r"<sub>\1</sub>", escape(term.equation))
    shown = f' <span class="equation">{equation}</span>' if equation else ""
    names = escape("|".join(term.names))
    return (
        f'<div id="{term.key}" tabindex="-1" data-names="{names}"><dt>{escape(term.name)}</dt>'
        f"<dd>{escape(term.definition)}{shown}</dd></div>"
    )
