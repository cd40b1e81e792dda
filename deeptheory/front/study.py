"""A study or a sweep as an object: its runs, its verdicts, its tables."""

import os
from pathlib import Path
from typing import Any

from deeptheory.errors import InputError, unknown_name
from deeptheory.front import frames
from deeptheory.front.places import Place
from deeptheory.front.run import Run
from deeptheory.interop.optional_packages import needed
from deeptheory.runs.contents import no_run, runs_inside
from deeptheory.runs.discovery import find_runs
from deeptheory.store import paths
from deeptheory.studies import confirmation, overview, sweep
from deeptheory.tables import Summary, Table


def open_study(path: str | os.PathLike[str]) -> "Study":
    """The study in a directory, whoever made it: `confirm`, or the commands confirm, compare and sweep.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    InputError
        There are no runs in the directory; what is there instead is said.

    Examples
    --------
    >>> study = dt.open_study("study")
    >>> study
    Study study: 1 run (seed-3)
    >>> study.runs[0].done[-1]
    'retrain'
    """
    return Study(Place(path))


class Study:
    """Runs that were made together, and what was concluded from them.

    `dt.confirm` and `dt.open_study` make it.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        if not self.is_sweep and not runs_inside(self.directory):
            if (self.directory / paths.CONFIG).is_file():
                raise InputError(
                    f"study {self.directory}", "a directory of runs", "one run", "open it with dt.open_run"
                )
            raise no_run(self.directory)

    def __repr__(self) -> str:
        names = [path.name for path in runs_inside(self.directory)]
        kind = "Sweep" if self.is_sweep else "Study"
        shown = ", ".join(names[:6]) + ", ..." * (len(names) > 6)
        return f"{kind} {self._place.text}: {len(names)} run{'s' * (len(names) != 1)} ({shown})"

    @property
    def directory(self) -> Path:
        """Where it lies."""
        return self._place.directory

    @property
    def is_sweep(self) -> bool:
        """Whether its runs are members of a sweep, which differ in more than their seeds."""
        return (self.directory / paths.SWEEP).is_file()

    @property
    def runs(self) -> list[Run]:
        """Its runs, by seed; each keeps a temporary directory of the study."""
        return [Run(run, Place(run.directory, within=self._place)) for run in find_runs(self.directory)]

    @property
    def overview(self) -> Summary:
        """The runs with what is done, the verdicts and the tables: what `deeptheory inspect` prints."""
        return overview.overview(self.directory)

    @property
    def verdicts(self) -> Table:
        """The verdicts, one line a part of a claim.

        Examples
        --------
        >>> [row[:3] for row in study.verdicts.rows][:1]
        [['H1', ..., 'undecided'...]]
        """
        found = overview.verdicts(self.directory)
        if not found:
            do = "finish it with dt.confirm, or test hypotheses with 'deeptheory hypothesis test'"
            raise InputError(f"study {self.directory}", "verdicts", "none", do)
        return found[0]

    @property
    def accuracies(self) -> Table:
        """Accuracy of every arm over the seeds; of a sweep the means at every point."""
        if self.is_sweep:
            return sweep.summary_tables(self.directory)[0]
        stored = find_runs(self.directory)
        for run in self.runs:
            run.require("retrain")
        return confirmation.arm_tables(stored, confirmation.arm_results(stored))[0]

    def to_frame(self, of: str = "stages") -> Any:
        """Numbers of all runs as one pandas DataFrame, with the run as the first index.

        Parameters
        ----------
        of : str
            As in `Run.to_frame`.

        Examples
        --------
        >>> study.to_frame("arms").index.names
        FrozenList(['run', 'arm'])
        """
        pandas = needed("pandas", "notebook")
        if of not in frames.FRAMES:
            raise unknown_name("to_frame", of, frames.FRAMES)
        return pandas.concat({run.directory.name: run.to_frame(of) for run in self.runs}, names=["run"])
