"""One number of every run, or of every stage of every run, as an array."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deeptheory.runs.run import Run
from deeptheory.store import paths


def over_seeds(runs: Sequence[Run], path: str) -> NDArray[np.float64]:
    """One number of every run by its path in `run.h5`, (S,)."""
    return np.array([run.read_number(path) for run in runs])


def over_stages(runs: Sequence[Run], step: str, *entry: str) -> NDArray[np.float64]:
    """One number of every stage of every run, (S, M), by its step and its path inside the stage's group."""
    return np.array(
        [
            [run.read_number(paths.stage_path(step, stage, *entry)) for stage in stage_names(run)]
            for run in runs
        ]
    )


def stage_names(run: Run) -> list[str]:
    """Names of the measured stages, from the input upwards."""
    return run.read_names(paths.join("measure", paths.STAGE_NAMES))
