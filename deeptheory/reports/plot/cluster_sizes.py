"""Figure: how large the clusters of each stage are."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from deeptheory.errors import InputError
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.styles import BLUE, DOUBLE_COLUMN, SINGLE_COLUMN, stage_title, styled

COLUMNS = 5
HEADROOM = 1.6  # of the tallest bar: leaves room for the numbers written in each panel


@styled
def draw_cluster_sizes(sizes: Mapping[str, ArrayLike], n_filters: Mapping[str, int]) -> Figure:
    """Draw the histogram of cluster sizes of each stage, in clusters per filter.

    All panels share their axes. The bars of a stage add up to its mean number of clusters per filter, N_c,
    written in the panel with the mean cluster size C_s over all clusters and the number of filters.

    Parameters
    ----------
    sizes : mapping of stage name to int array of shape (n_clusters,)
        Number of labels of every cluster of every filter of the stage, in the order of the network.
        Several seeds: their clusters one after the other.
    n_filters : mapping of stage name to int
        Number of filters that the clusters come from, those without a cluster included.

    Raises
    ------
    InputError
        When there is no stage, the stages disagree, a size is below 1 or a stage has no filter.

    Notes
    -----
    A histogram of clusters weighs a filter by its number of clusters: it does not show how many labels a
    filter serves.
    """
    if not sizes:
        raise InputError("cluster sizes", "at least one stage", "none")
    if set(sizes) != set(n_filters):
        raise InputError(
            "filters per stage", f"the stages {', '.join(sizes)}", ", ".join(n_filters) or "none"
        )
    counted = {stage: np.asarray(stage_sizes, dtype=np.int64) for stage, stage_sizes in sizes.items()}
    for stage, stage_sizes in counted.items():
        if stage_sizes.size and stage_sizes.min() < 1:
            raise InputError(f"cluster sizes of {stage}", "sizes of at least 1", f"{stage_sizes.min()}")
        if n_filters[stage] < 1:
            raise InputError(f"filters of {stage}", "at least 1", f"{n_filters[stage]}")

    rows = math.ceil(len(counted) / COLUMNS)
    columns = math.ceil(len(counted) / rows)
    width = SINGLE_COLUMN if columns <= 3 else DOUBLE_COLUMN
    figure = Figure(figsize=(width, 0.5 + 1.2 * rows))
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    largest = max((int(stage_sizes.max()) for stage_sizes in counted.values() if stage_sizes.size), default=1)
    tallest = 0.0
    for axes, (stage, stage_sizes) in zip(panels, counted.items(), strict=False):
        per_filter = np.bincount(stage_sizes, minlength=largest + 1)[1:] / n_filters[stage]
        tallest = max(tallest, per_filter.max())
        axes.bar(np.arange(1, largest + 1), per_filter, width=0.9, color=BLUE)
        title = stage_title(stage)
        axes.set_title(f"stage {title}" if title != stage else stage)
        text = f"$N_c$ = {len(stage_sizes) / n_filters[stage]:.2f}\n"
        text += f"$C_s$ = {stage_sizes.mean():.2f}" if stage_sizes.size else "no cluster"
        text += f"\n{n_filters[stage]} filters"
        axes.annotate(
            text, (0.94, 0.92), xycoords="axes fraction", ha="right", va="top", fontsize=7, linespacing=1.3
        )
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    for axes in panels[len(counted) :]:
        axes.remove()
    # With axes shared, the last panel of a column names the sizes even where the row below is not full.
    for axes in panels[max(len(counted) - columns, 0) : len(counted)]:
        axes.tick_params(labelbottom=True)
    panels[0].set(xlim=(0.4, largest + 0.6), ylim=(0, HEADROOM * tallest or 1.0))
    figure.supxlabel("cluster size (labels)", fontsize=8)
    figure.supylabel("clusters per filter", fontsize=8)
    return figure
