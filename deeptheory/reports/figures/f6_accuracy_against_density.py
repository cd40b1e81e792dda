"""Accuracy after retraining against density, of a comparison of criteria."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from deeptheory.reports.figures.definition import RunFigure
from deeptheory.reports.plot import draw_accuracy_against_density
from deeptheory.runs import Run
from deeptheory.studies.comparison import compared_so_far
from deeptheory.studies.soundness import chance


def _draw(runs: Sequence[Run]) -> Figure:
    compared = compared_so_far(runs)
    margin = runs[0].config.judge.margin
    return draw_accuracy_against_density(
        compared.unpruned, compared.accuracy, margin, chance(runs[0]), compared.predicted
    )


FIGURE = RunFigure(
    "accuracy-against-density",
    step="train",
    study="compare",
    draw=_draw,
    caption="Test accuracy after retraining, and loss against the unpruned network, against the density kept.",
)
