"""Error, clusters and SNR against the number of labels, of a sweep over it."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from deeptheory.reports.figures.definition import RunFigure
from deeptheory.reports.plot import draw_error_against_labels
from deeptheory.runs import Run
from deeptheory.studies import evidence


def _draw(runs: Sequence[Run]) -> Figure:
    return draw_error_against_labels(evidence.label_scaling(runs))


FIGURE = RunFigure(
    "error-against-labels",
    step="measure",
    study="sweep",
    draw=_draw,
    caption="Networks trained on different numbers of labels: error and the prediction of one distance, laws "
    "fitted to the maximal error, clusters and SNR of the last stage.",
    may_differ=evidence.NUMBER_OF_LABELS,
)
