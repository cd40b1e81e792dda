"""Accuracy of the arms, side by side, before and after retraining."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from deeptheory import prune
from deeptheory.reports.figures.definition import RunFigure, n_test_inputs
from deeptheory.reports.plot import draw_accuracy_by_arm
from deeptheory.runs import Run
from deeptheory.runs.stored_arrays import over_seeds
from deeptheory.store import paths
from deeptheory.studies.soundness import chance


def _draw(runs: Sequence[Run]) -> Figure:
    arms = runs[0].config.prune.arms

    def of_arms(step: str, entry: str) -> dict[str, ArrayLike]:
        return {arm: over_seeds(runs, paths.arm_path(step, arm, entry)) for arm in arms}

    return draw_accuracy_by_arm(
        of_arms("prune", paths.DILUTION),
        of_arms("prune", paths.ACCURACY),
        of_arms("retrain", paths.ACCURACY),
        over_seeds(runs, paths.arm_path("prune", prune.UNPRUNED, paths.ACCURACY)),
        over_seeds(runs, paths.arm_path("retrain", prune.UNPRUNED, paths.ACCURACY)),
        n_test=n_test_inputs(runs[0]),
        margin=runs[0].config.judge.margin,
        chance=chance(runs[0]),
    )


FIGURE = RunFigure(
    "accuracy-by-arm",
    step="retrain",
    study="confirm",
    draw=_draw,
    caption="Test accuracy of every arm, before and after retraining, and its difference from the unpruned arm of "
    "the same seed; the axis says the dilution.",
)
