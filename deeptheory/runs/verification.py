"""Whether the files of runs are whole: data sets against their checksums, options against those recorded."""

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path

from deeptheory.errors import InputError
from deeptheory.runs import recorded_options, schema
from deeptheory.runs.configuration import Config
from deeptheory.runs.plugin_records import PluginNotGiven
from deeptheory.runs.run_locks import holder
from deeptheory.store import hdf5, integrity, paths
from deeptheory.tables import Summary, text_table


@dataclass(frozen=True)
class Verified:
    """One file of a run.

    Attributes
    ----------
    path : str
    datasets : int
    unchecked : int
        Data sets without a checksum.
    damage : str
        Empty for a whole file.
    """

    path: str
    datasets: int
    unchecked: int
    damage: str


def verify(path: Path) -> Summary:
    """Read all files of a run, or of all runs below a directory, and compare them with their checksums.

    Nothing is changed, and runs may be computing meanwhile. `run.previous.h5`, the version before the last one,
    is verified as well; a run goes back to it by itself when `run.h5` is damaged.

    Returns
    -------
    Summary
        Its numbers count the damaged files as ``damaged``.

    Raises
    ------
    InputError
        There is no run.
    """
    path = Path(path)
    directories = sorted(file.parent for file in path.rglob(paths.CONFIG))
    if not directories:
        do = "name a run directory, or one with runs in it"
        raise InputError(f"{path}", f"{paths.CONFIG} in it or below", "none", do)
    files = [verified for directory in directories for verified in _files(directory)]
    damaged = [file for file in files if file.damage]
    rows = [(file.path, str(file.datasets), file.damage or "whole") for file in files]
    lines = text_table(("file", "data sets", "found"), rows, left=(0, 2))
    lines.append(f"{len(directories)} runs, {len(files)} files, {len(damaged)} damaged")
    if unchecked := sum(file.unchecked for file in files):
        lines.append(f"{unchecked} data sets have no checksum; they get one when the run is next opened")
    lines += [
        f"{directory} is being written by {who}" for directory in directories if (who := holder(directory))
    ]
    numbers = {"runs": len(directories), "damaged": len(damaged), "files": [asdict(file) for file in files]}
    return Summary("\n".join(lines), numbers)


def _files(directory: Path) -> list[Verified]:
    """All files but unfinished ones and damaged ones that were kept aside."""
    names = sorted(path for path in directory.glob("*.h5") if not path.name.startswith("."))
    aside = {integrity.damaged_of(path) for path in names}
    return [_configuration(directory), *(_hdf5(path) for path in names if path not in aside)]


def _configuration(directory: Path) -> Verified:
    path, differing = str(directory / paths.CONFIG), ""
    try:
        config: Config | None = recorded_options.read(directory)
    except PluginNotGiven:
        config = None
    except InputError as error:
        return Verified(path, 0, 0, str(error))
    with contextlib.suppress(InputError):  # a damaged file, which has a line of its own
        if config is None:
            differing = recorded_options.edited_tables(directory)
        else:
            differing = recorded_options.edited(directory, config)
    return Verified(path, 0, 0, f"not what {paths.RESULTS} records: {differing}" if differing else "")


def _hdf5(path: Path) -> Verified:
    try:
        checked = integrity.verify(path)
        if path.name == paths.RESULTS and not checked.damaged:
            with hdf5.open_for_reading(path) as file:
                schema.is_current(file)  # refuses one of a later version
    except InputError as error:
        return Verified(str(path), 0, 0, error.found)
    named = f"damaged: {', '.join(checked.damaged)}" if checked.damaged else ""
    return Verified(str(path), checked.datasets, len(checked.unchecked), named)
