"""Figures of runs: check that the runs belong together and have what a figure needs, draw it, save it."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from deeptheory.errors import InputError, unknown_name
from deeptheory.reports import plot
from deeptheory.reports.figures import FIGURES, RunFigure
from deeptheory.runs import Run
from deeptheory.runs.discovery import check_one_configuration, find_runs
from deeptheory.runs.run import make_directory
from deeptheory.store import paths


def draw(
    name: str,
    directories: Sequence[Path],
    out: Path,
    stage: str | None = None,
    filter_index: int | None = None,
    picture_format: str | None = None,
) -> Path:
    """Draw one figure from runs and save it.

    Parameters
    ----------
    name, directories, stage, filter_index
        As in `figure_of`.
    out : Path
        A file (its name has a suffix), or a directory, which gets ``NAME.FORMAT``, of a chosen filter
        ``NAME-STAGE-filter-N.FORMAT``; made if missing.
    picture_format : str, optional
        As in `plot.picture_path`.

    Raises
    ------
    InputError
        As `figure_of` and `plot.picture_path`; a file or directory that cannot be written.
    """
    chosen = [*([stage] if stage else []), *([] if filter_index is None else [f"filter-{filter_index}"])]
    path = plot.picture_path(out, "-".join([name, *chosen]), picture_format)
    figure = figure_of(name, directories, stage, filter_index)
    make_directory(path.parent)
    plot.save(figure, path)
    return path


def figure_of(
    name: str, directories: Sequence[Path], stage: str | None = None, filter_index: int | None = None
) -> Figure:
    """One figure of runs of one configuration, or of several if it is one of networks.

    Parameters
    ----------
    name : str
        One of `FIGURES`.
    directories : sequence of Path
        Run directories, or directories of studies, which stand for all their runs.
    stage : str, optional
        Of a figure of one filter, or of heads; the last stage by default.
    filter_index : int, optional
        Of a figure of one filter; by default the one that serves the median number of labels. Of heads: one of
        them, by default all.

    Raises
    ------
    InputError
        An unknown figure, stage or filter, runs that lack what it shows (the command that computes it is named),
        runs of different configurations.
    """
    if name not in FIGURES:
        raise unknown_name("figure", name, FIGURES)
    figure = FIGURES[name]
    runs = [run for directory in directories for run in find_runs(directory)]
    if figure.study != "networks":
        check_one_configuration(runs, "figure", figure.may_differ)
    _require(figure, runs, directories)
    given = {"stage": stage, "filter_index": filter_index}
    choice = {option: value for option, value in given.items() if value is not None}
    if choice and not figure.of_one_filter:
        expected = " or ".join(f"figure {one.name}" for one in FIGURES.values() if one.of_one_filter)
        raise InputError("--stage and --filter", expected, f"figure {name}", "leave them out")
    return figure.draw(runs, **choice)


def _require(figure: RunFigure, runs: Sequence[Run], directories: Sequence[Path]) -> None:
    """Refuse runs that lack what a figure shows, and name the command that computes it."""
    lacking = [run for run in runs if not run.done(figure.step)]
    what = figure.step
    if figure.study == "compare" and not lacking:
        lacking, what = [run for run in runs if not run.has(paths.COMPARE)], "compare"
    if lacking:
        names = ", ".join(run.directory.name for run in lacking)
        found = f"none in {names}" if len(runs) > 1 else f"none in {lacking[0].directory}"
        do = f"run '{_command(figure, lacking[0], directories)}' first"
        raise InputError(f"figure {figure.name}", f"the results of '{what}'", found, do)


def _command(figure: RunFigure, run: Run, directories: Sequence[Path]) -> str:
    """What computes what a figure lacks: of a run alone, or of the study that it lies in."""
    alone = any(run.directory == directory for directory in map(Path, directories))
    study, config = run.directory.parent, run.directory / paths.CONFIG
    if not alone and (study / paths.SWEEP).is_file():
        return shlex.join(["deeptheory", "sweep", str(study / paths.SWEEP), "--out", str(study)])
    if not alone:
        command = "compare" if figure.study == "compare" else "confirm"
        return shlex.join(["deeptheory", command, str(config), "--out", str(study)])
    if figure.study == "compare":
        return shlex.join(["deeptheory", "compare-criteria", str(run.directory)])
    return shlex.join(["deeptheory", "chain", str(run.directory), "--until", figure.step])


def draw_all(runs: Sequence[Run], out: Path) -> list[Path]:
    """Draw and save every figure of a finished confirm study."""
    directories = [run.directory for run in runs]
    return [draw(figure.name, directories, out) for figure in FIGURES.values() if figure.study == "confirm"]


def draw_finished(runs: Sequence[Run]) -> dict[str, Figure]:
    """Every figure of a confirm study whose step all of the runs have done, by name."""
    return {
        figure.name: figure.draw(runs)
        for figure in FIGURES.values()
        if figure.study == "confirm" and all(run.done(figure.step) for run in runs)
    }


def draw_sweep(runs: Sequence[Run]) -> dict[str, Figure]:
    """Every figure of a sweep that its members allow, by name."""
    drawn = {}
    for figure in FIGURES.values():
        if figure.study == "sweep":
            try:
                check_one_configuration(runs, "figure", figure.may_differ)
                drawn[figure.name] = figure.draw(runs)
            except InputError:  # a sweep over other options, or not finished
                continue
    return drawn
