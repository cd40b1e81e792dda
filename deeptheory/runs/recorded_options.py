"""The options of a run: those that `run.h5` records, once it is there. `config.toml` is their copy for people."""

import contextlib
import os
import tomllib
from pathlib import Path

import h5py
import msgspec

from deeptheory.errors import InputError
from deeptheory.plugins import refuse_changed
from deeptheory.runs import former_names, plugin_records
from deeptheory.runs.configuration import (
    FREE,
    Config,
    complete,
    config_from,
    differences,
    read_table,
    shown,
    to_toml,
)
from deeptheory.runs.option_readers import stale_parts
from deeptheory.runs.option_tables import flatten
from deeptheory.runs.stored_parts import checkpoints, stored_pieces
from deeptheory.store import hdf5, paths
from deeptheory.store.atomic_files import write_text
from deeptheory.store.regular_files import require_regular
from deeptheory.store.toml import parse_toml


def read(directory: Path, expected: Config | None = None) -> Config:
    """The options of a run, also where a change of them was cut off between its two files.

    Where the file says just what `expected` is written as, it is not parsed.

    Raises
    ------
    InputError
        A damaged file; a plugin that is recorded and not there, or that has changed although a result depends on
        it. None is executed.
    """
    upcoming = directory / paths.CONFIG_NEXT
    path = upcoming if _is_recorded(directory) else directory / paths.CONFIG
    return expected if expected is not None and _is_text_of(path, to_toml(expected)) else _read(path)


def announce(directory: Path, config: Config) -> None:
    """Begin a change of options: `run.h5` is to record them next, then `settle` replaces `config.toml`."""
    write_text(directory / paths.CONFIG_NEXT, to_toml(config))


def settle(directory: Path) -> None:
    """End a change of options, or one that was cut off: both files agree then."""
    upcoming = directory / paths.CONFIG_NEXT
    if _is_recorded(directory):
        os.replace(upcoming, directory / paths.CONFIG)
    upcoming.unlink(missing_ok=True)


def follow_plugins(directory: Path, config: Config) -> None:
    """Bring `config.toml` to the present content of plugins on which nothing stored depends."""
    if config.plugins.files and not (directory / paths.CONFIG_NEXT).exists():
        path = directory / paths.CONFIG
        there = read_table(path).get("plugins", {})
        if [*there.get("sha256", ())] != [*config.plugins.sha256]:
            write_text(path, to_toml(config))


def restore(directory: Path) -> None:
    """Bring `config.toml` to what `run.h5` records, after that went back to an earlier version."""
    recorded = _recorded_text(directory)
    if recorded and edited(directory, _read(directory / paths.CONFIG)):
        write_text(directory / paths.CONFIG, recorded)


def rename(directory: Path) -> None:
    """Bring the names in `config.toml` of an earlier version to the present ones, as `schema.migrate` does."""
    path = directory / paths.CONFIG
    before = path.read_text(encoding="utf-8")
    if (text := former_names.renamed_in(before)) != before:
        write_text(path, text)


def edited_tables(directory: Path) -> str:
    """As `edited`, of the texts as they stand: of a run whose plugins are not there."""
    recorded = _recorded_text(directory)
    tables = former_names.renamed(parse_toml(recorded)), read_table(directory / paths.CONFIG)
    old, new = (dict(flatten(table)) for table in tables)
    differing = [name for name in {**old, **new} if old.get(name) != new.get(name) and name not in FREE]
    return ", ".join(differing) if recorded else ""


def edited(directory: Path, config: Config) -> str:
    """Options that differ between a configuration and what `run.h5` records, with both values; "" if none do.

    Files without a record, and options that change no result (`configuration.differences`), differ in nothing.

    Raises
    ------
    InputError
        `run.h5` cannot be read.
    """
    recorded = _recorded_text(directory)
    return _differing(recorded, config) if recorded else ""


def refuse_edited(file: h5py.File, directory: Path, config: Config) -> None:
    """Raise an `InputError` where the options of a run are not those that its open `run.h5` records."""
    recorded = _text_in(file)
    if differing := _differing(recorded, config) if recorded else "":
        do = "set them back: options are changed by --set of the steps, or kept apart by 'deeptheory branch'"
        name = f"{directory / paths.CONFIG}"
        raise InputError(name, f"the options that {paths.RESULTS} records", differing, do)


def _differing(recorded: str, config: Config) -> str:
    if recorded == to_toml(config):
        return ""
    table = former_names.renamed(tomllib.loads(recorded))
    table.pop("plugins", None)  # whose changes `read` has looked at
    old = config_from(table)
    found = differences(old, config)
    return "; ".join(f"{name} = {shown(new)} in place of {shown(before)}" for name, before, new in found)


def _is_text_of(path: Path, text: str) -> bool:
    """Whether a file holds just this text; False as well where it cannot be read."""
    content = text.encode()
    with contextlib.suppress(OSError):
        require_regular(path)
        with path.open("rb") as file:
            return file.read(len(content) + 1) == content
    return False


def _read(path: Path) -> Config:
    table = read_table(path)
    recorded = table.pop("plugins", {})
    same, changed = plugin_records.require_recorded(recorded, path.parent)
    config = config_from(table)
    for plugin, sha256 in changed:
        if _depends(path.parent, config, plugin.sha256):
            refuse_changed(plugin.path, sha256, plugin.sha256)
    return msgspec.structs.replace(config, plugins=plugin_records.joined(config.plugins, same))


def _depends(directory: Path, config: Config, sha256: str) -> bool:
    """Whether a result that is stored or half done depends on what a plugin defines of a run's options."""
    uses = [
        (option, name)
        for option, name, plugin in plugin_records.named(dict(flatten(complete(config))))
        if plugin.sha256 == sha256
    ]
    pieces = checkpoints(directory)
    if (directory / paths.RESULTS).exists():
        with hdf5.open_for_reading(directory / paths.RESULTS) as file:
            pieces += stored_pieces(file)
    stale, names = stale_parts(option for option, _ in uses), {name for _, name in uses}
    return any(piece.part in stale or piece.name in names for piece in pieces)


def _is_recorded(directory: Path) -> bool:
    """Whether a change of options was begun, and `run.h5` records it."""
    upcoming = directory / paths.CONFIG_NEXT
    if not upcoming.is_file():
        return False
    with contextlib.suppress(InputError):  # a damaged file, which is reported where it is read
        texts = upcoming.read_text(encoding="utf-8"), _recorded_text(directory)
        return len({former_names.renamed_in(text) for text in texts}) == 1
    return False


def _recorded_text(directory: Path) -> str:
    path = directory / paths.RESULTS
    if not path.exists():
        return ""
    with hdf5.open_for_reading(path) as file:
        return _text_in(file)


def _text_in(file: h5py.File) -> str:
    return hdf5.OpenFile(file).read_text(paths.CONFIG_TEXT) if hdf5.has(file, paths.CONFIG_TEXT) else ""
