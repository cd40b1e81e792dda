"""Versions of `run.h5`: files of older ones are brought up to date, one version at a time."""

from collections.abc import Callable
from pathlib import Path

import h5py

from deeptheory.errors import InputError
from deeptheory.store import hdf5
from deeptheory.store.paths import SCHEMA_VERSION

VERSION = 2


def is_current(file: h5py.File) -> bool:
    """Whether an open file is of this version; `InputError` for one of a later version."""
    version = _version_of(file)
    if version > VERSION:
        do = "use the version of deeptheory that wrote it, or a later one"
        raise InputError(str(file.filename), f"schema version up to {VERSION}", f"{version}", do)
    return version == VERSION


def migrate(path: Path) -> str:
    """Bring a file of an older version up to date; the old one is kept as `hdf5.previous_of(path)`.

    Returns
    -------
    str
        What was done, for the log.
    """
    with hdf5.replacing(path) as file:
        first = _version_of(file)
        for version in range(first, VERSION):
            MIGRATIONS[version](file)
        if SCHEMA_VERSION in file:
            del file[SCHEMA_VERSION]
        hdf5.write_tree(file, {SCHEMA_VERSION: VERSION})
    return f"{path.name} brought from schema version {first} to {VERSION}"


def _version_of(file: h5py.File) -> int:
    if not hdf5.has(file, SCHEMA_VERSION):
        return 1
    version = hdf5.OpenFile(file).read_number(SCHEMA_VERSION)
    if not isinstance(version, int) or version < 1:
        raise InputError(
            f"'{SCHEMA_VERSION}' in {file.filename}",
            f"a whole number from 1 to {VERSION}",
            f"{version}",
            "restore the file: deeptheory did not write it so",
        )
    return version


def _add_checksums(file: h5py.File) -> None:
    """Version 2 has a checksum for every data set."""
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    for name in names:
        hdf5.add_checksum(file[name])


MIGRATIONS: dict[int, Callable[[h5py.File], None]] = {1: _add_checksums}  # from that version to the next
