"""What plugins have defined so far in this process, where, and from which text."""

import hashlib
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeptheory.errors import InputError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,59}")  # becomes a part of file names and HDF5 paths
MAIN = "__main__"  # the module of a notebook, and of a script


@dataclass(frozen=True)
class Plugin:
    """A text that defines something.

    Attributes
    ----------
    path : str
        Of its file, absolute; "" for a function of a notebook or script, whose own text alone it is.
    name : str
        Of its file; of a function of a notebook the function's.
    sha256 : str
        Of the text, 64 hexadecimal digits. What it imports is NOT in it.
    text : bytes
    installed : bool
        Whether every process of this installation has it, by an entry point.
    """

    path: str
    name: str
    sha256: str
    text: bytes
    installed: bool = False


@dataclass(frozen=True)
class Definition:
    """One thing that a plugin has defined: its value in the table of its kind, and the place.

    Attributes
    ----------
    plugin : Plugin
    line : int
    table : dict
    value : object
    """

    plugin: Plugin
    line: int
    table: dict[str, Any]
    value: Any

    @property
    def place(self) -> str:
        """File, or notebook, and line."""
        where = self.plugin.path or f"the notebook, function {self.plugin.name}"
        return f"{where}, line {self.line}"


DEFINITIONS: dict[tuple[str, str], Definition] = {}  # by kind and name
_loading: list[Plugin] = []  # the files that are being executed, the innermost last


def definition(kind: str, name: str) -> Definition | None:
    """Where a plugin has defined something; None for what is the package's own, or not there."""
    return DEFINITIONS.get((kind, name))


def known() -> dict[str, Plugin]:
    """The plugins of all that is defined, by SHA-256."""
    return {one.plugin.sha256: one.plugin for one in DEFINITIONS.values()}


def define(kind: str, name: str, function: Callable[..., Any], table: dict[str, Any], value: Any) -> None:
    """Put a value into the table of its kind under a name.

    Parameters
    ----------
    kind, name : str
    function : callable
        That was decorated: it says which plugin this is, and the line.
    table : dict
        Of all of the kind.
    value : object

    Raises
    ------
    InputError
        A name that is none or that is taken, with both places; a function whose text is not known.
    """
    one = Definition(plugin_of(function), line_of(function), table, value)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        expected = "up to 60 letters, digits and . _ + -"
        raise InputError(f"name of a {kind} at {one.place}", expected, repr(name))
    there = definition(kind, name)
    if name in table and not (there and _is_again(one, there)):
        of = there.place if there else "deeptheory itself"
        expected = f"a name that no other {kind} has"
        raise InputError(f"{kind} '{name}' at {one.place}", expected, f"one of {of}", "give it another name")
    table[name] = value
    DEFINITIONS[kind, name] = one


def _is_again(one: Definition, there: Definition) -> bool:
    """Whether a cell was run again, or a module was imported again."""
    old, new = there.plugin, one.plugin
    return old.path == new.path and (not new.path or old.sha256 != new.sha256 or there.line == one.line)


def withdraw(path: str) -> dict[tuple[str, str], Definition]:
    """Take back all that a file has defined; `restore` puts it back."""
    taken = {key: one for key, one in DEFINITIONS.items() if path and one.plugin.path == path}
    for kind, name in taken:
        del DEFINITIONS[kind, name].table[name], DEFINITIONS[kind, name]
    return taken


def restore(taken: dict[tuple[str, str], Definition]) -> None:
    """Put back what was withdrawn."""
    for (kind, name), one in taken.items():
        one.table[name] = one.value
        DEFINITIONS[kind, name] = one


@contextmanager
def loading(plugin: Plugin) -> Iterator[None]:
    """What is defined in the block is this plugin's, whichever function it is."""
    _loading.append(plugin)
    try:
        yield
    finally:
        _loading.pop()


def plugin_of(function: Callable[..., Any]) -> Plugin:
    """The plugin that a decorated function belongs to.

    The file that is being loaded; otherwise the function's own module, except that of a notebook or a script,
    which cannot be executed again to get one function: there it is the text of the function alone.
    """
    if _loading and not _loading[-1].installed:
        return _loading[-1]
    try:
        if function.__module__ != MAIN:
            path = Path(inspect.getfile(function)).resolve()
            return plugin_from(path, path.read_bytes(), bool(_loading))
        text = inspect.getsource(function).encode()
    except (AttributeError, OSError, TypeError) as error:
        expected = "a function whose text is in a file or in the cell of a notebook"
        do = "write it to a file, and name that by --plugin, or by plugins.load in Python"
        raise InputError(f"plugin {_name(function)}", expected, "none that can be read", do) from error
    return Plugin("", _name(function), hashlib.sha256(text).hexdigest(), text)


def plugin_from(path: Path, text: bytes, installed: bool = False) -> Plugin:
    """The plugin of a file and its content."""
    return Plugin(str(path), path.name, hashlib.sha256(text).hexdigest(), text, installed)


def line_of(function: Callable[..., Any]) -> int:
    """The line of a function in its file or cell; 1 for another object that can be called."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_firstlineno if code else 1


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))
