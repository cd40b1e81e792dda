"""Histograms of cluster sizes, stage by stage, over all runs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from deeptheory.reports.figures.definition import RunFigure
from deeptheory.reports.plot import draw_cluster_sizes
from deeptheory.runs import Run
from deeptheory.runs.stored_arrays import stage_names
from deeptheory.store import paths


def _draw(runs: Sequence[Run]) -> Figure:
    sizes = {}
    n_filters = {}
    for stage in stage_names(runs[0]):
        size_path, served_path = (
            paths.stage_path("measure", stage, entry) for entry in (paths.CLUSTER_SIZES, paths.SERVED)
        )
        sizes[stage] = np.concatenate([run.read_array(size_path) for run in runs])
        n_filters[stage] = sum(len(run.read_array(served_path)) for run in runs)
    return draw_cluster_sizes(sizes, n_filters)


FIGURE = RunFigure(
    "cluster-sizes",
    step="measure",
    study="confirm",
    draw=_draw,
    caption="Sizes of the clusters of every stage.",
)
