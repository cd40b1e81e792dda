"""The steps as functions: those of the command line, on the run of an object."""

import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from deeptheory import data as datasets
from deeptheory import runs, studies
from deeptheory.errors import InputError
from deeptheory.front.data import LoadedDataset, keep_arrays, table_of
from deeptheory.front.options import Given, Options, overrides, table_from
from deeptheory.front.places import Place
from deeptheory.front.run import Run
from deeptheory.front.study import Study
from deeptheory.runs import steps
from deeptheory.runs.configuration import Config, config_from
from deeptheory.runs.datasets import standing_for
from deeptheory.runs.option_changes import change_options
from deeptheory.runs.run import make_directory
from deeptheory.runs.summaries import prediction_summaries, step_summaries
from deeptheory.store import paths
from deeptheory.studies import branching
from deeptheory.tables import Summary


def train(
    config: Given = None,
    data: datasets.Dataset | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    quiet: bool = False,
) -> Run:
    """Train a network: the step `deeptheory train`, with the same bits.

    Parameters
    ----------
    config : path, mapping or Config, optional
        A TOML file, the name of a packaged one (`deeptheory config list`), or options by their names,
        ``{"network.name": "vgg11-10conv", "train.epochs": 5, "seed": 3}``. Options that are left out take
        their defaults.
    data : Dataset, optional
        As `load_data` gives it; by default what the table [data] of the configuration says.
    out : path, optional
        Directory of the run, made or continued: every command goes on with it. Without it the run lies in a
        temporary directory, which is deleted with the object that is returned, or at the end of the program; no
        other file is left behind.
    quiet : bool
        No progress on standard error, neither here nor in later steps.

    Returns
    -------
    Run

    Raises
    ------
    InputError
        Options or data that do not fit, too little memory, or another run in the directory.

    Examples
    --------
    >>> glyphs = dt.load_data("glyphs", n_labels=5, size=16, train_per_label=20, test_per_label=10)
    >>> options = {"network.name": "vgg6", "network.width": 0.125, "train.epochs": 1}
    >>> trained = dt.train(options, glyphs, quiet=True)
    >>> trained.network().input_shape
    (16, 16, 1)
    >>> dt.measure(trained).numbers["stage5"]["labels_served"] > 0
    True
    >>> trained.fields("stage5").shape
    (64, 5, 5)
    """
    place = Place(out)
    directory, asked = place.directory, _configuration(config, data, place)
    with _offered(asked, data):
        runs.require_memory([(directory, asked)], ("train",), quiet=quiet)
    opened = runs.Run.create(directory, asked, quiet)
    _keep(data, directory)
    steps.train(opened)
    return Run(opened, place)


def measure(run: Run, options: Options | None = None) -> Summary:
    """Measure every stage of a trained run: the step `deeptheory measure`.

    Parameters
    ----------
    run : Run
    options : mapping, optional
        Options that change before, as `--set`: ``{"measure.threshold": 0.5}``.

    Returns
    -------
    Summary
        The table of stages, which a notebook shows; `numbers` has them by stage and name.

    Raises
    ------
    InputError
        The run is not trained, or what is done in it depends on an option.
    """
    return _step(run, "measure", options)


def predict(run: Run, options: Options | None = None, *, tolerance: float | None = None) -> Summary:
    """Predict what is prunable and what it costs: the step `deeptheory predict`, before anything is pruned.

    Parameters
    ----------
    run : Run
        Measured.
    options : mapping, optional
        As in `measure`.
    tolerance : float, optional
        Accepted loss of accuracy, 0.005 for half a point: find the largest prunable set instead.

    Returns
    -------
    Summary
        The tables of layers and arms, or of the prunable set of every layer.
    """
    if tolerance is None:
        return _step(run, "predict", options)
    if not 0 < tolerance < 1:
        raise InputError("tolerance", "a share between 0 and 1, both excluded", f"{tolerance}")
    run.require("train")
    change_options(run.stored, overrides(options), "budget")
    steps.budget(run.stored, tolerance)
    return prediction_summaries.budgeted(run.stored, tolerance)


def prune(run: Run, options: Options | None = None) -> Summary:
    """Make the masks of AFCC and its controls at equal density and test them: the step `deeptheory prune`.

    Parameters
    ----------
    run : Run
        Predicted.
    options : mapping, optional
        As in `measure`.

    Returns
    -------
    Summary
        The table of arms.
    """
    return _step(run, "prune", options)


def retrain(run: Run, options: Options | None = None) -> Summary:
    """Retrain every arm under its mask, and the unpruned network equally long: the step `deeptheory retrain`.

    Parameters
    ----------
    run : Run
        Pruned.
    options : mapping, optional
        As in `measure`.

    Returns
    -------
    Summary
        The table of arms.
    """
    return _step(run, "retrain", options)


def branch(run: Run, options: Options, out: str | os.PathLike[str] | None = None) -> Run:
    """Another analysis of the same training: the command `deeptheory branch`.

    Parameters
    ----------
    run : Run
        Trained; it is only read.
    options : mapping
        What is to be another value, as in `train`; the training must not depend on it.
    out : path, optional
        As in `train`.

    Returns
    -------
    Run
        It has every result of the first one that the options leave as it is; the steps that do depend on them are
        to be computed.

    Raises
    ------
    InputError
        The run is not trained, the training reads an option, or the directory holds something else.

    Examples
    --------
    >>> sharper = dt.branch(run, {"prune.threshold": 0.6})
    >>> sharper.done
    ('train', 'measure')
    """
    place = Place(out)
    branching.branch(run.directory, place.directory, overrides(options), run.stored.quiet)
    return Run(runs.Run(place.directory, run.stored.quiet), place)


def confirm(
    config: Given = None,
    data: datasets.Dataset | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    jobs: int = 1,
    quiet: bool = False,
) -> Study:
    """All steps over several seeds, and verdicts on the claims: `deeptheory confirm`, without its figures.

    Parameters
    ----------
    config, data, out, quiet
        As in `train`; the number of seeds is the option ``judge.seeds``.
    jobs : int
        Seeds computed at a time, each in a process of its own.

    Returns
    -------
    Study
        Its `verdicts` are a table. Fewer than five seeds leave every claim undecided.

    Raises
    ------
    InputError
        As `train`.
    RunFailed
        The process of a seed failed.
    """
    place = Place(out, "study")
    directory, asked = place.directory, _configuration(config, data, place)
    make_directory(directory)
    _keep(data, directory)
    first = paths.seed_directory(directory, asked.seed) / paths.CONFIG
    command = f"deeptheory confirm {first} --out {directory}"
    if place.temporary:
        command = 'the same dt.confirm, with out="DIR" to keep its runs'
    studies.confirm(asked, directory, command, jobs, quiet)
    return Study(place)


def _configuration(config: Given, data: datasets.Dataset | None, place: Place) -> Config:
    table = table_from(config)
    if not isinstance(data, datasets.Dataset | None):
        do = "make one with dt.load_data(...)"
        raise InputError("data", "a data set", f"{type(data).__name__}", do)
    if data is not None:
        table["data"] = table_of(data, table.get("data", {}), place.directory / paths.DATA)
    return config_from(table)


def _offered(asked: Config, data: datasets.Dataset | None) -> AbstractContextManager[None]:
    """Arrays stand for the file that they will be written to once nothing is refused."""
    if data is None or isinstance(data, LoadedDataset):
        return contextlib.nullcontext()
    return standing_for(asked.data, data)


def _keep(data: datasets.Dataset | None, directory: Path) -> None:
    if data is not None:
        keep_arrays(data, directory / paths.DATA)


def _step(run: Run, name: str, options: Options | None) -> Summary:
    run.require(paths.STEPS[paths.STEPS.index(name) - 1])
    change_options(run.stored, overrides(options), name)
    compute: Callable[[runs.Run], None] = getattr(steps, name)
    compute(run.stored)
    return step_summaries.SUMMARIES[name](run.stored)
