"""Losses of accuracy predicted before pruning against those measured after retraining."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.figure import Figure

from deeptheory.reports.figures.definition import RunFigure
from deeptheory.reports.plot import Losses, draw_predicted_losses
from deeptheory.runs import Run
from deeptheory.studies import predicted_losses


def _draw(runs: Sequence[Run]) -> Figure:
    found = predicted_losses.of_arms(runs)
    return draw_predicted_losses(by_criterion(found), runs[0].config.judge.margin)


def by_criterion(losses: Iterable[predicted_losses.MaskLoss]) -> dict[str, Losses]:
    """The losses as arrays, criterion by criterion, in the order in which they come."""
    grouped: dict[str, list[predicted_losses.MaskLoss]] = {}
    for loss in losses:
        grouped.setdefault(loss.criterion, []).append(loss)
    return {
        criterion: Losses(
            *(
                np.array([getattr(loss, name) for loss in group])
                for name in ("predicted", "low", "high", "measured", "error")
            )
        )
        for criterion, group in grouped.items()
    }


FIGURE = RunFigure(
    "predicted-losses",
    step="retrain",
    study="confirm",
    draw=_draw,
    caption="Loss of test accuracy, predicted before pruning against measured after retraining.",
)
