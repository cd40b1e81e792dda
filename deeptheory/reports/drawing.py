"""Figures of runs: check that the runs belong together and have what a figure needs, draw it, save it."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from deeptheory.errors import InputError, unknown_name
from deeptheory.reports import plot
from deeptheory.reports.figures import FIGURES
from deeptheory.runs import Run
from deeptheory.runs.discovery import check_one_configuration, find_runs
from deeptheory.runs.run import make_directory


def draw(
    name: str,
    directories: Sequence[Path],
    out: Path,
    stage: str | None = None,
    filter_index: int | None = None,
) -> Path:
    """Draw one figure from runs of one configuration and save it as ``out/NAME.pdf``.

    Parameters
    ----------
    name : str
        One of `FIGURES`.
    directories : sequence of Path
        Run directories, or directories of studies, which stand for all their runs.
    out : Path
        Directory, made if missing.
    stage : str, optional
        Of a figure of one filter; the last stage by default.
    filter_index : int, optional
        Of a figure of one filter; by default the one that serves the median number of labels.

    Raises
    ------
    InputError
        An unknown figure, stage or filter, a run that lacks the step, runs of different configurations, a
        directory that cannot be written.
    """
    if name not in FIGURES:
        raise unknown_name("figure", name, FIGURES)
    figure = FIGURES[name]
    runs = [run for directory in directories for run in find_runs(directory)]
    check_one_configuration(runs, "figure", figure.may_differ)
    for run in runs:
        run.require(figure.step)
    given = {"stage": stage, "filter_index": filter_index}
    choice = {option: value for option, value in given.items() if value is not None}
    if choice and not figure.of_one_filter:
        expected = " or ".join(f"figure {one.name}" for one in FIGURES.values() if one.of_one_filter)
        raise InputError("--stage and --filter", expected, f"figure {name}", "leave them out")
    make_directory(out)
    path = out / f"{name}.pdf"
    plot.save(figure.draw(runs, **choice), path)
    return path


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
