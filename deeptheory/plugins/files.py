"""Files of plugins: read, compared with the hash that is asked for, and executed once."""

import functools
import importlib.metadata
import os
import sys
import types
from pathlib import Path

from deeptheory.errors import InputError
from deeptheory.plugins.definitions import (
    DEFINITIONS,
    Plugin,
    loading,
    plugin_from,
    restore,
    withdraw,
)
from deeptheory.plugins.guards import plugin_error
from deeptheory.store.regular_files import require_regular

GROUP = "deeptheory.plugins"  # of entry points
PINNED = "#sha256="  # between a file and the hash that it must have


def load(path: str | os.PathLike[str], sha256: str = "") -> Plugin:
    """Execute a file that defines criteria, hypotheses, formulas, networks, data sources or schedules.

    A file of the same path and content is not executed again; one that has changed replaces what it defined
    before.

    Parameters
    ----------
    path : path
        Of a Python file; ``FILE#sha256=HEX`` gives the hash as well.
    sha256 : str
        That the content must have; "" is any.

    Returns
    -------
    Plugin

    Raises
    ------
    InputError
        No file, another content than asked for (with both hashes), an error in it (with its line), a name that is
        taken, or nothing that is defined. What was defined before stays so.
    """
    name, _, pinned = os.fspath(path).partition(PINNED)
    file, sha256 = Path(name).expanduser().resolve(), sha256 or pinned
    try:
        require_regular(file)
        plugin = plugin_from(file, file.read_bytes())
    except OSError as error:
        found = error.strerror or str(error)
        raise InputError(f"plugin {name}", "a Python file", found, "name one by --plugin FILE.py") from error
    refuse_changed(name, sha256, plugin.sha256)
    if any(one.plugin == plugin for one in DEFINITIONS.values()):
        return plugin
    before = withdraw(str(file))
    try:
        _execute(plugin)
        if not any(one.plugin == plugin for one in DEFINITIONS.values()):
            do = "decorate a function with plugins.criterion, plugins.network, ... (docs/extending.md)"
            raise InputError(f"plugin {file}", "something that is defined", "nothing", do)
    except BaseException:
        withdraw(str(file))
        restore(before)
        raise
    return plugin


def refuse_changed(name: str, asked: str, found: str) -> None:
    """Raise an `InputError` where a plugin is another one than was asked for or recorded; "" asks for any."""
    if asked and asked != found:
        do = (
            "restore it, or put what is new into a file of its own under a name of its own"
            " (a run keeps copies in its directory plugins)"
        )
        raise InputError(f"plugin {name}", f"SHA-256 {asked}", f"{found}: the file has changed since", do)


@functools.cache
def load_installed() -> None:
    """Import what installed packages offer under entry points of the group `deeptheory.plugins`; once.

    Raises
    ------
    InputError
        An error in one of them, or a name that is taken.
    """
    for entry in importlib.metadata.entry_points(group=GROUP):
        plugin = Plugin("", entry.value, "", b"", installed=True)
        try:
            with loading(plugin):
                entry.load()
        except InputError:
            raise
        except Exception as error:
            owner = entry.dist.name if entry.dist else "its package"
            do = f"correct or uninstall {owner}"
            found = f"{type(error).__name__}: {error}"
            raise InputError(f"plugin {entry.value} of {owner}", "a module to import", found, do) from error


def _execute(plugin: Plugin) -> None:
    """Execute the text that was read and hashed: no cached bytecode, and no other content in between."""
    module = types.ModuleType(f"deeptheory_plugin_{plugin.sha256[:16]}")
    module.__file__ = plugin.path
    sys.modules[module.__name__] = module  # as data classes and inspect need it
    try:
        with loading(plugin):
            exec(compile(plugin.text, plugin.path, "exec", dont_inherit=True), module.__dict__)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise plugin_error(plugin, plugin.path, error) from error
