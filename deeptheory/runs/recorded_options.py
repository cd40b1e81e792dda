"""The options of a run: those that `run.h5` records, once it is there. `config.toml` is their copy for people."""

import contextlib
import os
import tomllib
from pathlib import Path

import h5py

from deeptheory.errors import InputError
from deeptheory.runs.configuration import Config, config_from, differences, read_config, to_toml
from deeptheory.store import hdf5, paths
from deeptheory.store.atomic_files import write_text


def read(directory: Path) -> Config:
    """The options of a run, also where a change of them was cut off between its two files."""
    upcoming = directory / paths.CONFIG_NEXT
    return read_config(upcoming if _is_recorded(directory) else directory / paths.CONFIG)


def announce(directory: Path, config: Config) -> None:
    """Begin a change of options: `run.h5` is to record them next, then `settle` replaces `config.toml`."""
    write_text(directory / paths.CONFIG_NEXT, to_toml(config))


def settle(directory: Path) -> None:
    """End a change of options, or one that was cut off: both files agree then."""
    upcoming = directory / paths.CONFIG_NEXT
    if _is_recorded(directory):
        os.replace(upcoming, directory / paths.CONFIG)
    upcoming.unlink(missing_ok=True)


def restore(directory: Path) -> None:
    """Bring `config.toml` to what `run.h5` records, after that went back to an earlier version."""
    recorded = _recorded_text(directory)
    if recorded and edited(directory, read_config(directory / paths.CONFIG)):
        write_text(directory / paths.CONFIG, recorded)


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
    old = config_from(tomllib.loads(recorded))
    found = differences(old, config)
    return "; ".join(f"{name} = {new!r} in place of {before!r}" for name, before, new in found)


def _is_recorded(directory: Path) -> bool:
    """Whether a change of options was begun, and `run.h5` records it."""
    upcoming = directory / paths.CONFIG_NEXT
    if not upcoming.is_file():
        return False
    with contextlib.suppress(InputError):  # a damaged file, which is reported where it is read
        return upcoming.read_text(encoding="utf-8") == _recorded_text(directory)
    return False


def _recorded_text(directory: Path) -> str:
    path = directory / paths.RESULTS
    if not path.exists():
        return ""
    with hdf5.open_for_reading(path) as file:
        return _text_in(file)


def _text_in(file: h5py.File) -> str:
    return hdf5.OpenFile(file).read_text(paths.CONFIG_TEXT) if hdf5.has(file, paths.CONFIG_TEXT) else ""
