"""Damaged HDF5 files: found by their checksums, replaced by the previous version."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import h5py

from deeptheory.errors import InputError
from deeptheory.store import hdf5
from deeptheory.store.atomic_files import replacing_file
from deeptheory.store.hdf5_heaps import require_whole_heaps
from deeptheory.store.hdf5_reading import stored_checksum


def damaged_of(path: Path) -> Path:
    """Where `mend` puts a damaged file."""
    return path.with_name(f"{path.stem}.damaged{path.suffix}")


@dataclass(frozen=True)
class Verification:
    """The result of `verify` for one file.

    Attributes
    ----------
    datasets : int
        Their number.
    unchecked : tuple of str
        Those without a checksum: of another program, or of files before checksums were introduced.
    damaged : tuple of str
        Those that cannot be read, or whose checksum is wrong.
    """

    datasets: int
    unchecked: tuple[str, ...]
    damaged: tuple[str, ...]


def verify(path: Path) -> Verification:
    """Read a file from end to end and compare every data set with its checksum.

    Raises
    ------
    InputError
        The file is missing or cannot be opened, or a heap of its texts would be read for ever.
    """
    names: list[str] = []
    damaged: list[str] = []
    unchecked: list[str] = []
    with hdf5.open_for_reading(path) as file:
        require_whole_heaps(path)
        try:
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        except Exception as error:
            return Verification(len(names), (), (f"the list of data sets ({error})",))
        for name in names:
            try:
                expected = stored_checksum(file[name])
                if hdf5.sum_on_disk(file[name]) != expected and expected is not None:
                    damaged.append(name)
                elif expected is None:
                    unchecked.append(name)
            except Exception:
                damaged.append(name)
    return Verification(len(names), tuple(unchecked), tuple(damaged))


def mend(path: Path) -> str | None:
    """Restore the previous version of a file if it is damaged or missing; the damaged one is kept beside it.

    Returns
    -------
    str or None
        What was done, for the log; None if nothing was.

    Raises
    ------
    InputError
        The file is damaged, and so is the previous version, or there is none.
    """
    previous = hdf5.previous_of(path)
    if not path.exists() and not previous.exists():
        return None
    damage = damage_of(path)
    if damage is None:
        return None
    if not previous.exists() or damage_of(previous) is not None:
        do = f"delete it to start anew, or restore a copy; '{previous.name}' is no better"
        if not previous.exists():
            do = "delete it to start anew, or restore a copy"
        raise InputError(str(path), "a whole file", damage, do)
    kept = damaged_of(path)
    if path.exists():
        os.replace(path, kept)
    with replacing_file(path) as temporary:
        shutil.copyfile(previous, temporary)
    return f"{path.name} was damaged ({damage}): kept as {kept.name}, going on from {previous.name}"


def damage_of(path: Path) -> str | None:
    """What is damaged in a file, in a few words; None if nothing is."""
    if not path.exists():
        return "it is missing"
    try:
        damaged = verify(path).damaged
    except InputError as error:
        return error.found
    if damaged:
        more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        return f"{damaged[0]}{more} damaged"
    return None
