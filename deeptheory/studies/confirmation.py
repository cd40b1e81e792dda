"""A confirm study: the whole chain over several seeds, judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import judge
from deeptheory.judge import ArmResults
from deeptheory.prune import UNPRUNED
from deeptheory.runs import steps
from deeptheory.runs.configuration import Config
from deeptheory.runs.discovery import check_one_dataset
from deeptheory.runs.estimates import require_memory
from deeptheory.runs.run import Run, make_directory
from deeptheory.runs.stored_arrays import over_seeds
from deeptheory.store import paths
from deeptheory.studies import hypotheses
from deeptheory.studies.local_processes import run_side_by_side
from deeptheory.studies.plain_words import in_words
from deeptheory.studies.seed_runs import of_seeds
from deeptheory.system.heartbeats import heartbeat
from deeptheory.tables import Table


@dataclass(frozen=True)
class Study:
    """The runs of a study and what the judge says of them.

    Attributes
    ----------
    directory : Path
    runs : tuple of Run
        One per seed.
    judged : tuple of Judged
    results : ArmResults
    text : str
        The tables of arms and verdicts.
    """

    directory: Path
    runs: tuple[Run, ...]
    judged: tuple[judge.Judged, ...]
    results: ArmResults
    text: str

    @property
    def confirmed(self) -> bool:
        """Whether every claim is supported by its fixed rule."""
        return all(one.confirmed for one in self.judged)

    @property
    def numbers(self) -> dict[str, Any]:
        """The verdicts and where the run files are."""
        return {
            "hypotheses": hypotheses.numbers(self.judged),
            "runs": [str(run.results) for run in self.runs],
        }

    def in_words(self, figures: Sequence[Path]) -> str:
        """The study in ten lines (`plain_words`)."""
        return in_words(self.directory, self.runs, self.results, self.judged, figures)


def confirm(config: Config, directory: Path, command: str, jobs: int = 1, quiet: bool = False) -> Study:
    """Train, measure, predict, prune and retrain every seed, then judge.

    Parameters
    ----------
    config : Config
        Its seed is that of the first run; the others follow it. Everything else is common to all seeds.
    directory : Path
        Gets one run directory per seed, `verdicts.json` and `verdicts.txt`. What is already there is kept: a
        second call goes on where the first stopped, and may ask for more seeds.
    command : str
        What repeats the study; stored with every verdict.
    jobs : int
        Seeds computed at a time. Above 1 each is a process of its own with its share of the threads, and the
        bits are those of that number of threads.
    quiet : bool
        No progress on standard error.

    Raises
    ------
    InputError
        Bad configuration, data or directory; a seed's run there has another configuration; too little memory.
    RunFailed
        The process of a seed failed.
    """
    directory = Path(directory)
    planned = of_seeds(config, directory)
    with heartbeat("memory and time of the study", quiet):
        require_memory(planned, paths.STEPS, jobs, quiet)
    make_directory(directory)
    runs = [Run.create(place, own, quiet) for place, own in planned]
    unfinished = [run for run in runs if run.needs(paths.STEPS[-1])]
    jobs = min(jobs, len(unfinished))
    if unfinished:
        with heartbeat("data set", quiet):
            # Bad data is refused, and rendered glyphs are cached, before there are processes.
            _ = unfinished[0].dataset
            check_one_dataset(runs, f"study {directory}")
    if jobs > 1:
        run_side_by_side(unfinished, jobs, quiet)
    else:
        for run in unfinished:
            steps.chain(run)
    with heartbeat("verdicts", quiet):
        judged = hypotheses.judge_on_runs(
            hypotheses.confirmed_hypotheses(config), [run.directory for run in runs], command, (), quiet
        )
    results = arm_results(runs)
    more = {"runs": [str(run.results) for run in runs]}
    text = hypotheses.write(
        judged, directory / paths.VERDICTS, directory / paths.TABLES, arm_tables(runs, results), more
    )
    return Study(directory, tuple(runs), tuple(judged), results, text)


def arm_tables(runs: Sequence[Run], results: ArmResults) -> list[Table]:
    """Accuracy and cost of every arm over the runs that gave `results`, and the dilution of every layer."""

    def left(share: str) -> dict[str, list[float]]:
        return {
            arm: [run.read_number(paths.arm_path("prune", arm, paths.ARM_COST, share)) for run in runs]
            for arm in results.arms
        }

    level = runs[0].config.judge.level
    return judge.arm_tables(results, left("parameters_share"), left("multiply_adds_share"), level)


def arm_results(runs: Sequence[Run]) -> ArmResults:
    """Collect what the judge needs from finished runs, paired by seed."""
    arms = (UNPRUNED, *runs[0].config.prune.arms)
    layers = runs[0].entry_names(paths.join("predict", paths.LAYERS))

    def of_arms(step: str, entry: str) -> dict[str, NDArray[np.float64]]:
        return {arm: over_seeds(runs, paths.arm_path(step, arm, entry)) for arm in arms}

    def of_layers(entry: str) -> dict[str, NDArray[np.float64]]:
        places = {layer: paths.join("predict", paths.LAYERS, layer, entry) for layer in layers}
        return {layer: over_seeds(runs, path) for layer, path in places.items() if runs[0].has(path)}

    return ArmResults(
        accuracy_before=of_arms("prune", paths.ACCURACY),
        accuracy_after=of_arms("retrain", paths.ACCURACY),
        predicted=of_arms("predict", paths.LOSS),
        dilution=of_layers(paths.DILUTION),
        null_dilution=of_layers(paths.EXPECTED_DILUTION) if runs[0].config.prune.afcc_at_threshold else {},
    )
