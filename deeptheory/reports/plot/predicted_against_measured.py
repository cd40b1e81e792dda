"""Figure: accuracies predicted by theory against measured ones."""

from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from deeptheory.errors import InputError
from deeptheory.reports.plot.intervals import draw_chance, per_seed_accuracy, wilson
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.styles import (
    BLACK,
    BLUE,
    GREEN,
    OTHER_MARKS,
    SINGLE_COLUMN,
    VERMILLION,
    Mark,
    styled,
)

KIND_MARKS: tuple[Mark, ...] = ((BLUE, "o"), (VERMILLION, "s"), (GREEN, "^"), *OTHER_MARKS)


@styled
def draw_predicted_against_measured(
    groups: Mapping[str, tuple[ArrayLike, ArrayLike]], n_test: int, chance: float
) -> Figure:
    """Draw measured against predicted accuracy, one colour and marker per kind of prediction.

    The legend gives for each kind, in percentage points, the root mean square of predicted - measured (rms)
    and its mean (bias; positive when the theory promises too much).

    Parameters
    ----------
    groups : mapping of kind to (predicted, measured)
        Two arrays of shape (n,) of accuracies within 0 and 1, for example of the stages' probes, of the
        masked and refitted heads and of the retrained arms.
    n_test : int
        Number of test inputs of each measured accuracy: the bars are 95% binomial (Wilson) intervals.
    chance : float
        Accuracy of always giving the most frequent label: a line.

    Raises
    ------
    InputError
        When there is no point, the lengths of a pair differ, or a value is not within 0 and 1.

    Notes
    -----
    Points of one network are not independent: an rms over the arms of one seed is not an error over seeds.
    """
    if not groups:
        raise InputError("predictions", "at least one kind", "none")
    pairs = {}
    for kind, (predicted, measured) in groups.items():
        n_points = np.size(predicted)
        if n_points == 0:
            raise InputError(f"predictions of {kind}", "at least one", "none")
        pairs[kind] = (
            per_seed_accuracy(f"predicted accuracy of {kind}", predicted, n_points)[0],
            per_seed_accuracy(f"measured accuracy of {kind}", measured, n_points)[0],
        )

    figure = Figure(figsize=(SINGLE_COLUMN, 3.4 + 0.16 * len(pairs)))
    axes = figure.subplots()
    drawn = []
    for (kind, (predicted, measured)), (color, marker) in zip(pairs.items(), cycle(KIND_MARKS), strict=False):
        low, high = wilson(measured, n_test)
        drawn += [predicted, low, high]
        error = 100 * (predicted - measured)
        axes.errorbar(
            predicted,
            measured,
            yerr=[measured - low, high - measured],
            color=color,
            marker=marker,
            markerfacecolor="none",
            linestyle="none",
            elinewidth=0.6,
            label=f"{kind}: rms {np.sqrt(np.mean(error**2)):.2f}, bias {error.mean():+.2f}".replace("-", "−"),
        )
    everything = np.concatenate(drawn)
    pad = 0.06 * max(np.ptp(everything), 0.02)
    limits = (everything.min() - pad, everything.max() + pad)
    axes.plot(limits, limits, color=BLACK, linewidth=0.6, zorder=0)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    draw_chance(axes, chance)
    axes.set_xlabel("predicted accuracy (line: equal to the measured)")
    axes.set_ylabel("measured accuracy")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside upper center",
        title=f"errors in points; bars: 95% binomial, {n_test} inputs",
        title_fontsize=7,
        alignment="left",
    )
    return figure
