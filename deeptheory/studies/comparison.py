"""A comparison of criteria: every seed pruned by all of them at all densities, then judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory import judge
from deeptheory.prune import CRITERIA, UNPRUNED
from deeptheory.runs import steps
from deeptheory.runs.configuration import Config
from deeptheory.runs.discovery import check_one_dataset
from deeptheory.runs.estimates import COMPARE, require_memory
from deeptheory.runs.run import Run, make_directory
from deeptheory.runs.stored_arrays import over_seeds
from deeptheory.store import paths
from deeptheory.store.atomic_files import read_json, write_text
from deeptheory.studies import soundness
from deeptheory.studies.local_processes import run_side_by_side
from deeptheory.studies.seed_runs import of_seeds
from deeptheory.tables import as_json

OURS = ("snr-overlap", "snr-budget", "afcc")  # compared with all others


@dataclass(frozen=True)
class Compared:
    """The runs of a comparison, their accuracies, and the tables as text."""

    directory: Path
    runs: tuple[Run, ...]
    comparison: judge.Comparison
    text: str

    @property
    def numbers(self) -> dict[str, Any]:
        """The accuracies of all seeds."""
        return {
            "seeds": [run.config.seed for run in self.runs],
            "unpruned": self.comparison.unpruned.tolist(),
            "accuracy": {
                criterion: {f"{density:g}": values.tolist() for density, values in at.items()}
                for criterion, at in self.comparison.accuracy.items()
            },
        }


def compare(config: Config, directory: Path, jobs: int = 1, quiet: bool = False) -> Compared:
    """Compare criteria over several seeds.

    Parameters
    ----------
    config : Config
        Its seed is that of the first run; the others follow it.
    directory : Path
        Gets one run directory per seed, `comparison.json` and `comparison.txt` (or `comparison-alone.*` where
        layers are masked one at a time). Existing results are kept: a second
        call continues the first, and may ask for more seeds, criteria and densities.
    jobs : int
        Seeds computed at a time.
    quiet : bool
        No progress on standard error.

    Raises
    ------
    InputError
        Bad configuration, data or directory; too little memory.
    RunFailed
        The process of a seed failed.
    """
    directory = Path(directory)
    planned = of_seeds(config, directory)
    require_memory(planned, comparison_steps(config), jobs, quiet)
    make_directory(directory)
    runs = [Run.create(place, of_seed, quiet) for place, of_seed in planned]
    _ = runs[-1].dataset  # bad data is refused, and rendered glyphs are cached, before there are processes
    check_one_dataset(runs, f"study {directory}")
    if jobs > 1:
        run_side_by_side(runs, jobs, quiet, ("compare-criteria",))
    else:
        for run in runs:
            steps.compare(run)
    comparison = collect(runs)
    tables = judge.comparison_tables(comparison, OURS, config.judge, soundness.not_held_out(runs))
    text = "\n\n".join(map(str, tables))
    compared = Compared(directory, tuple(runs), comparison, text)
    write_text(
        directory / paths.comparison_file(config.compare.alone, "json"), as_json(compared.numbers) + "\n"
    )
    write_text(directory / paths.comparison_file(config.compare.alone, "txt"), text + "\n")
    return compared


def comparison_steps(config: Config) -> tuple[str, ...]:
    """The steps of a comparison: measuring only if a criterion needs it; refuses what `check_options` refuses."""
    steps.check_options(config, (COMPARE,))
    measured = any(CRITERIA[criterion].measured for criterion in config.compare.criteria)
    return ("train", "measure", COMPARE) if measured else ("train", COMPARE)


def stored_comparison(directory: Path, alone: bool) -> judge.Comparison | None:
    """The stored accuracies of a comparison, or of one with layers masked alone; None if there are none."""
    path = directory / paths.comparison_file(alone, "json")
    if not path.is_file():
        return None
    stored = read_json(path)

    def accuracies(values: list[float | None]) -> np.ndarray:
        return np.array(values, np.float64)  # null, a density that was not reached, becomes NaN

    of_criteria = {
        criterion: {float(density): accuracies(values) for density, values in at.items()}
        for criterion, at in stored["accuracy"].items()
    }
    return judge.Comparison(accuracies(stored["unpruned"]), of_criteria)


def collect(runs: Sequence[Run]) -> judge.Comparison:
    """The accuracies of finished runs, paired by seed."""
    options = runs[0].config.compare
    alone = runs[0].entry_names(paths.COMPARE_ALONE)
    in_order = [name for name in runs[0].entry_names(paths.join("train", paths.STATE)) if name in alone]
    layers = in_order if options.alone else [""]
    rows = {
        f"{criterion} in {layer.removesuffix('.weight')}" if layer else criterion: (criterion, layer)
        for criterion in options.criteria
        for layer in layers
    }
    return _comparison(runs, rows, set(options.densities))


def compared_so_far(runs: Sequence[Run]) -> judge.Comparison:
    """All accuracies in runs with masks of all layers together; NaN where a density was not reached."""
    names = runs[0].entry_names(paths.COMPARE)
    rows = {criterion: (criterion, "") for criterion in CRITERIA if criterion in names}
    densities = {
        float(density)
        for criterion in rows
        for density in runs[0].entry_names(paths.join(paths.COMPARE, criterion))
    }
    return _comparison(runs, rows, densities)


def _comparison(
    runs: Sequence[Run], rows: Mapping[str, tuple[str, str]], densities: set[float]
) -> judge.Comparison:
    """The accuracies of criteria, each in one layer or in all (""), at densities from high to low."""

    def accuracies(criterion: str, density: float, layer: str) -> np.ndarray:
        path = paths.compare_path(criterion, density, layer, paths.ACCURACY)
        return np.array([run.read_number(path) if run.has(path) else np.nan for run in runs])

    ordered = sorted(densities, reverse=True)
    ends = (paths.LOSS, paths.LOSS_LOW, paths.LOSS_HIGH)
    places = {
        criterion: {density: paths.prediction_path(criterion, density) for density in ordered}
        for criterion, layer in rows.values()
        if not layer
    }
    whole = [
        criterion
        for criterion, at in places.items()
        if all(run.has(path) for run in runs for path in at.values())
    ]
    predicted = (
        {
            criterion: {
                density: over_seeds(runs, paths.join(path, end))
                for density, path in places[criterion].items()
            }
            for criterion in whole
        }
        for end in ends
    )
    return judge.Comparison(
        over_seeds(runs, paths.join(paths.COMPARE, UNPRUNED, paths.ACCURACY)),
        {
            name: {density: accuracies(criterion, density, layer) for density in ordered}
            for name, (criterion, layer) in rows.items()
        },
        *predicted,
    )
