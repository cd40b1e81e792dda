"""One number of every run, or of every stage of every run, as an array."""

from collections.abc import Sequence

import numpy as np

from deeptheory.runs.run import Run


def over_seeds(runs: Sequence[Run], path: str) -> np.ndarray:
    """One number of every run by its path in `run.h5`, (S,)."""
    return np.array([run.read(path) for run in runs])


def over_stages(runs: Sequence[Run], path: str) -> np.ndarray:
    """One number of every stage of every run, (S, M); `path` has a place for the stage's name."""
    return np.array([[run.read(path.format(stage=stage)) for stage in stage_names(run)] for run in runs])


def stage_names(run: Run) -> list[str]:
    """Names of the measured stages, from the input upwards."""
    return list(run.read("measure/stage_names"))
