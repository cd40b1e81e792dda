"""Runs on disk: those of a study, a sweep, or named one by one."""

from collections.abc import Sequence
from pathlib import Path

from deeptheory.data.options import DataOptions
from deeptheory.errors import InputError, Unsuited
from deeptheory.runs.configuration import differences
from deeptheory.runs.contents import no_run, runs_inside
from deeptheory.runs.run import Run
from deeptheory.store import paths


def find_runs(directory: Path) -> list[Run]:
    """The run in a directory, or all runs of the study or sweep that it holds, by seed.

    Raises
    ------
    InputError
        There is neither; what is there instead is said.
    """
    directory = Path(directory)
    if (directory / paths.CONFIG).is_file():
        return [Run(directory, quiet=True)]
    inside = [Run(path, quiet=True) for path in runs_inside(directory)]
    if not inside:
        raise no_run(directory)
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
    Unsuited
        Two runs differ: the option, both values and both runs are named.
    InputError
        As `check_one_dataset` raises it.
    """
    first = runs[0]
    for run in runs[1:]:
        for name, one, other in differences(first.config, run.config):
            if name != "seed" and name not in but:
                found = f"{name} = {one!r} in {first.directory} and {other!r} in {run.directory}"
                raise Unsuited(what, "runs of one configuration", found, "take them one by one")
    check_one_dataset(runs, what)


def check_one_dataset(runs: Sequence[Run], what: str) -> None:
    """Refuse runs on files of one name that held different images or labels.

    Parameters
    ----------
    runs : sequence of Run
        Those that record no data are left out.
    what : str
        What the runs are for, for the message.

    Raises
    ------
    InputError
        Two runs of the same options of data differ in their fingerprints; both are named.
    """
    first: dict[DataOptions, tuple[Run, str]] = {}
    for run in runs:
        if used := run.fingerprint:
            one, other = first.setdefault(run.config.data, (run, used))
            if other != used:
                found = f"SHA-256 {other[:16]} in {one.directory} and {used[:16]} in {run.directory}"
                do = "restore the data, and compute the runs on others anew"
                raise InputError(what, "the same images and labels in all runs", found, do)
