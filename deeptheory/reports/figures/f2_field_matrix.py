"""Field matrix of one filter of the first run."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from deeptheory import measure
from deeptheory.errors import InputError, unknown_name
from deeptheory.reports.figures.definition import RunFigure
from deeptheory.reports.plot import draw_field_matrix
from deeptheory.runs import Run
from deeptheory.runs.stored_arrays import stage_names
from deeptheory.store import paths


def _draw(runs: Sequence[Run], stage: str | None = None, filter_index: int | None = None) -> Figure:
    run = runs[0]
    names = stage_names(run)
    stage = stage or names[-1]
    if stage not in names:
        raise unknown_name("stage", stage, names)
    measured = run.read_tree(paths.stage_path("measure", stage))
    threshold = run.config.measure.threshold
    if filter_index is None:
        order = np.argsort(measured.read_array(paths.SERVED).sum(axis=1), kind="stable")
        filter_index = int(order[len(order) // 2])
    means = measured.read_array(paths.CLASS_MEANS)
    n_filters = means.shape[1]
    if filter_index >= n_filters:
        raise InputError("--filter", f"0 to {n_filters - 1} in {stage}", str(filter_index))
    weight = measured.read_array(paths.PROBE_WEIGHT).reshape(means.shape)
    one = slice(filter_index, filter_index + 1)
    field = measure.fields_from_class_means(means[:, one], weight[:, one])[0]
    clusters = measure.find_clusters(measure.clip(field, threshold))
    name = f"{stage}, filter {filter_index}, seed {run.config.seed}"
    label_names = run.read_names(paths.join("train", paths.LABEL_NAMES))
    return draw_field_matrix(field, threshold, clusters, name, label_names)


FIGURE = RunFigure(
    "field-matrix",
    step="measure",
    study="confirm",
    draw=_draw,
    caption="Field matrix of the filter of the last stage that serves the median number of labels: field, "
    "clipped, sorted by cluster.",
    of_one_filter=True,
)
