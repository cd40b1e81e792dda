"""The plugins of configurations and runs: which ones options name, and whether they are still the same.

Options name what a plugin defines; the table `[plugins]` of a run holds the files and hashes of those, and
nothing else. A run never executes what it holds.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from deeptheory import plugins
from deeptheory.errors import InputError
from deeptheory.plugins import Plugin, PluginOptions
from deeptheory.store import paths
from deeptheory.store.atomic_files import replacing_file

# Options that name what a plugin may define, and its kind.
KINDS = {
    "data.source": "data source",
    "network.name": "network",
    "train.schedule": "schedule",
    "retrain.schedule": "schedule",
    "prune.arms": "criterion",
    "prune.density_from": "criterion",
    "compare.criteria": "criterion",
}
RECORDS = (paths.CONFIG, paths.SWEEP, paths.RESULTS)  # in the directory of a run or a sweep


class PluginNotGiven(InputError):
    """A run records a plugin that nobody has named, so that nothing was executed."""


def named(options: Mapping[str, Any]) -> Iterator[tuple[str, str, Plugin]]:
    """What plugins have defined of the flat `options` that name it: option, name and plugin."""
    for option, kind in KINDS.items():
        value = options.get(option, ())
        for name in value if isinstance(value, list | tuple) else [value]:
            if isinstance(name, str) and (found := plugins.definition(kind, name)):
                yield option, name, found.plugin


def used(options: Mapping[str, Any]) -> PluginOptions:
    """The plugins that flat options name, each once."""
    return _options({plugin.sha256: plugin for _, _, plugin in named(options)}.values())


def joined(one: PluginOptions, other: PluginOptions) -> PluginOptions:
    """The plugins of both."""
    files = dict(zip((*one.sha256, *other.sha256), (*one.files, *other.files), strict=True))
    return PluginOptions(files=tuple(files.values()), sha256=tuple(files))


def resolve(table: Mapping[str, Any], directory: Path) -> None:
    """Make the paths of plugins and of the network absolute, which a file in a directory gives relative to it."""
    part, network = table.get("plugins"), table.get("network")
    if isinstance(part, dict) and isinstance(part.get("files"), list):
        part["files"] = [_from(directory, file) for file in part["files"]]
    if isinstance(network, dict) and network.get("file"):
        network["file"] = _from(directory, network["file"])


def load_named(table: Mapping[str, Any], path: Path) -> None:
    """Execute the plugins of the configuration in a file, unless it is the record of a run or a sweep.

    Raises
    ------
    InputError
        As `plugins.load`.
    """
    if not any((path.parent / name).exists() for name in RECORDS):
        for file, sha256 in _pairs(table.get("plugins", {})):
            _load(file, sha256)


def load_recorded(options: PluginOptions) -> None:
    """Execute plugins that another process of the same command has executed."""
    for file, sha256 in zip(options.files, options.sha256, strict=True):
        _load(file, sha256)


def require_named(table: Mapping[str, Any]) -> None:
    """Raise an `InputError` where a plugin that a plain table names is not there, or is another one."""
    plugins.load_installed()
    for file, sha256 in _pairs(table.get("plugins", {})):
        if sha256:
            _require(file, sha256)
        elif not _of_file(file):
            raise InputError(
                f"plugin {file}", "to be loaded", "it is not", f"--plugin {file}, or plugins.load"
            )


def require_recorded(
    table: Mapping[str, Any], directory: Path
) -> tuple[PluginOptions, list[tuple[Plugin, str]]]:
    """The plugins of the plain table of a run that are the same, and those that have changed, with the old hash.

    Raises
    ------
    InputError
        A plugin that is recorded and not there; where its copy is, and how it is given.
    """
    plugins.load_installed()
    same, changed = [], []
    for file, sha256 in _pairs(table):
        now = _of_file(file)
        if there := plugins.known().get(sha256):
            same.append(there)
        elif now is None:
            _require(file, sha256, copy_in(directory, file, sha256))
        else:
            changed.append((now, sha256))
    return _options(same), changed


def keep_copies(directory: Path, options: PluginOptions) -> list[str]:
    """Write the plugins of a run beside it; what was written, for the log."""
    written = []
    for file, sha256 in zip(options.files, options.sha256, strict=True):
        copy = copy_in(directory, file, sha256)
        if not copy.exists():
            copy.parent.mkdir(exist_ok=True)
            with replacing_file(copy) as temporary:
                temporary.write_bytes(plugins.known()[sha256].text)
            written.append(f"plugin {file}, SHA-256 {sha256}")
    return written


def copy_in(directory: Path, file: str, sha256: str) -> Path:
    """Where a run keeps the copy of a plugin."""
    return directory / paths.PLUGINS / f"{Path(file).stem}-{sha256[:8]}.py"


def arguments(options: Iterable[PluginOptions]) -> list[str]:
    """Arguments of a command of `deeptheory` that give it the plugins of this process, with their hashes.

    Raises
    ------
    InputError
        One of them is a function of a notebook, which no other process can have.
    """
    words = []
    for sha256 in dict.fromkeys(sha256 for one in options for sha256 in one.sha256):
        plugin = plugins.known()[sha256]
        if not plugin.path:
            do = "write it to a file and call plugins.load, or compute in this process (jobs=1)"
            raise InputError(f"plugin {plugin.name}", "a file, for other processes", "a notebook", do)
        if not plugin.installed:
            words += ["--plugin", f"{plugin.path}{plugins.PINNED}{sha256}"]
    return words


def _load(file: str, sha256: str) -> None:
    if sha256 not in plugins.known():
        plugins.load(file, sha256)


def _options(found: Iterable[Plugin]) -> PluginOptions:
    several = list(found)
    return PluginOptions(
        files=tuple(plugin.path or plugin.name for plugin in several),
        sha256=tuple(plugin.sha256 for plugin in several),
    )


def _of_file(file: str) -> Plugin | None:
    """The plugin that is there under the name of a file, wherever that is."""
    return next((one for one in plugins.known().values() if one.name == Path(file).name), None)


def _require(file: str, sha256: str, copy: Path | None = None) -> None:
    if sha256 in plugins.known():
        return
    if now := _of_file(file):
        plugins.refuse_changed(file, sha256, now.sha256)
    kept = f"; a copy is {copy}" if copy and copy.exists() else ""
    if not os.path.isabs(file) and not file.endswith(".py"):
        expected, do = f"the function of SHA-256 {sha256}", f"run the cell of the notebook that has it{kept}"
        raise PluginNotGiven(f"plugin {file}", expected, "none defined", do)
    do = f"read it, then give it by --plugin FILE.py (plugins.load in Python), which executes it{kept}"
    of = f" of SHA-256 {sha256}" if sha256 else ""  # which a table written by hand may lack
    raise PluginNotGiven(f"plugin {file}", f"the file{of}", "none given", do)


def _pairs(table: Any) -> list[tuple[str, str]]:
    """Files and hashes of a plain table `[plugins]`; "" where there is no hash yet."""
    try:
        options = msgspec.convert(table, PluginOptions)
    except msgspec.ValidationError as error:
        raise InputError("plugins", "files and sha256, two lists of texts", str(error)) from error
    if options.sha256 and len(options.sha256) != len(options.files):
        raise InputError(
            "plugins.sha256", f"one for each of {len(options.files)} files", f"{len(options.sha256)}"
        )
    return list(zip(options.files, options.sha256 or ("",) * len(options.files), strict=True))


def _from(directory: Path, file: Any) -> Any:
    return os.path.abspath(directory / Path(file).expanduser()) if isinstance(file, str) else file
