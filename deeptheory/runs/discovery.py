"""Runs on disk: those of a study, a sweep, or named one by one."""

from collections.abc import Sequence
from pathlib import Path

from deeptheory.errors import InputError
from deeptheory.runs.configuration import differences
from deeptheory.runs.run import Run
from deeptheory.store import paths


def find_runs(directory: Path) -> list[Run]:
    """The run in a directory, or all runs of the study or sweep that it holds, by seed.

    Raises
    ------
    InputError
        There is neither.
    """
    directory = Path(directory)
    if (directory / paths.CONFIG).is_file():
        return [Run(directory, quiet=True)]
    inside = [Run(path.parent, quiet=True) for path in sorted(directory.glob(f"*/{paths.CONFIG}"))]
    if not inside:
        do = "name a run directory or the directory of a study"
        raise InputError(f"run {directory}", f"{paths.CONFIG} in it or in the directories in it", "none", do)
    return sorted(inside, key=lambda run: run.config.seed)


def check_one_configuration(runs: Sequence[Run], what: str, but: Sequence[str] = ()) -> None:
    """Refuse runs that differ in more than their seed.

    Parameters
    ----------
    runs : sequence of Run
    what : str
        What the runs are for, for the message.
    but : sequence of str
        Options that may differ, besides the seed.

    Raises
    ------
    InputError
        Two runs differ: the option, both values and both runs are named.
    """
    first = runs[0]
    for run in runs[1:]:
        for name, one, other in differences(first.config, run.config):
            if name != "seed" and name not in but:
                found = f"{name} = {one!r} in {first.directory} and {other!r} in {run.directory}"
                raise InputError(what, "runs of one configuration", found, "take them one by one")
