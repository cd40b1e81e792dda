"""Accuracy of the probes and signal-to-noise ratio by stage."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from deeptheory.reports.figures.definition import RunFigure, n_test_inputs
from deeptheory.reports.plot import draw_accuracy_and_snr
from deeptheory.runs import Run
from deeptheory.runs.stored_arrays import over_stages, stage_names
from deeptheory.store import paths
from deeptheory.studies.soundness import chance


def _draw(runs: Sequence[Run]) -> Figure:
    return draw_accuracy_and_snr(
        stage_names(runs[0]),
        over_stages(runs, "measure", paths.PROBE_ACCURACY),
        over_stages(runs, "predict", paths.ACCURACY),
        over_stages(runs, "measure", paths.SNR_MEAN_FIELD),
        over_stages(runs, "measure", paths.SNR_MEASURED),
        runs[0].config.measure.threshold,
        n_test=n_test_inputs(runs[0]),
        chance=chance(runs[0]),
    )


FIGURE = RunFigure(
    "accuracy-and-snr",
    step="predict",
    study="confirm",
    draw=_draw,
    caption="Probe accuracy on the test split, measured and predicted, and signal-to-noise ratio of the clipped "
    "fields, against the stage.",
)
