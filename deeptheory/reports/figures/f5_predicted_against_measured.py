"""Predicted against measured accuracies of probes and masked heads."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deeptheory import prune
from deeptheory.reports.figures.definition import RunFigure, n_test_inputs
from deeptheory.reports.plot import draw_predicted_against_measured
from deeptheory.runs import Run
from deeptheory.runs.stored_arrays import over_stages
from deeptheory.store import paths
from deeptheory.studies.soundness import chance


def _draw(runs: Sequence[Run]) -> Figure:
    arms = (prune.UNPRUNED, *runs[0].config.prune.arms)

    def over_arms(step: str, *entry: str) -> NDArray[np.float64]:
        return np.array([run.read_number(paths.arm_path(step, arm, *entry)) for run in runs for arm in arms])

    groups = {
        "probes of stages": (
            over_stages(runs, "predict", paths.ACCURACY).ravel(),
            over_stages(runs, "measure", paths.PROBE_ACCURACY).ravel(),
        ),
        "masked, refitted heads": (
            over_arms("predict", paths.HEAD, paths.ACCURACY),
            over_arms("prune", paths.REFIT_ACCURACY),
        ),
    }
    return draw_predicted_against_measured(groups, n_test=n_test_inputs(runs[0]), chance=chance(runs[0]))


FIGURE = RunFigure(
    "predicted-against-measured",
    step="retrain",
    study="confirm",
    draw=_draw,
    caption="Predicted against measured accuracies of probes and of masked, refitted heads.",
)
