"""Versions of `run.h5`: files of older ones are brought up to date, one version at a time."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from deeptheory.errors import InputError
from deeptheory.runs.former_names import renamed_in
from deeptheory.store import hdf5, paths
from deeptheory.store.paths import SCHEMA_VERSION

VERSION = 5


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


def _predict_losses(file: h5py.File) -> None:
    """Version 3 predicts losses with an interval, and no accuracies after retraining."""
    found: list[str] = []
    file.visit(lambda name: found.append(name) if name.endswith("/retrained_error") else None)
    for name in found:
        group = file[name].parent
        stored = hdf5.OpenFile(file).read_tree(group.name)
        loss, error = stored.read_number(paths.LOSS), stored.read_number(paths.LOSS_ERROR)
        intact = stored.read_number("retrained") + loss
        for entry in ("retrained", "retrained_error", paths.LOSS_ERROR):
            del group[entry]
        losses = {
            paths.REFIT_LOSS: intact - stored.read_number("refitted"),
            paths.LOSS_LOW: loss - error,
            paths.LOSS_HIGH: loss + error,
        }
        hdf5.write_tree(group, losses)


def _rename_networks(file: h5py.File) -> None:
    """Version 4 has two names for what was `vgg11`, of which that one is the first."""
    if hdf5.has(file, paths.CONFIG_TEXT):
        text = hdf5.OpenFile(file).read_text(paths.CONFIG_TEXT)
        hdf5.replace_text(file, paths.CONFIG_TEXT, renamed_in(text))


def _add_capacities(file: h5py.File) -> None:
    """Version 5 knows the capacity of masked heads; before, a head was taken to tell all labels apart."""
    found: list[str] = []
    file.visit(lambda name: found.append(name) if name.endswith(f"/{paths.REFIT_LOSS}") else None)
    for group in (file[name].parent for name in found):
        if paths.CAPACITY not in group:
            hdf5.write_tree(group, {paths.CAPACITY: 1.0})
    found.clear()
    file.visit(lambda name: found.append(name) if name.endswith("/visited") else None)
    for name in found:
        _name_columns(file[name].parent)


def _name_columns(budget: h5py.Group) -> None:
    """The trials of a budget as a group of arrays, which were columns of one."""
    stored = hdf5.OpenFile(budget.file).read_tree(budget.name)
    dilution, refitted, by_theory, loss = stored.read_array("visited").T
    at_best = stored.read_numbers(paths.PREDICTION)
    unknown = np.full(len(loss), np.nan)
    curve = {
        paths.DILUTION: dilution,
        "refitted": refitted,
        "refitted_theory": by_theory,
        paths.REFIT_LOSS: at_best["refitted"] + at_best[paths.REFIT_LOSS] - refitted,
        paths.CAPACITY: np.ones(len(loss)),
        paths.LOSS: loss,
        paths.LOSS_LOW: unknown,
        paths.LOSS_HIGH: unknown,
    }
    hdf5.write_tree(budget, {paths.CURVE: curve})
    del budget["visited"]


MIGRATIONS: dict[int, Callable[[h5py.File], None]] = {  # from that version to the next
    1: _add_checksums,
    2: _predict_losses,
    3: _rename_networks,
    4: _add_capacities,
}
