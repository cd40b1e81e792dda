"""The words of the report with their definitions: links to them, and the list that they lead to."""

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib import resources

import msgspec


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
    return {name: term for term in terms() for name in (term.name, *term.shown, *term.heads)}


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
    entries = [
        f'<div id="{term.key}" tabindex="-1"><dt>{escape(term.name)}</dt><dd>{escape(term.definition)}'
        + (f' <span class="equation">{escape(term.equation)}</span>' if term.equation else "")
        + "</dd></div>"
        for term in terms()
    ]
    return "\n".join(
        ['<section id="words">', "<h2>Words</h2>", '<dl class="words">', *entries, "</dl>", "</section>"]
    )
