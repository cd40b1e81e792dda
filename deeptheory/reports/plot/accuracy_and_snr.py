"""Figure: accuracy of the probes and signal-to-noise ratio against stage."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.typing import ColorType
from numpy.typing import ArrayLike, NDArray

from deeptheory.errors import InputError
from deeptheory.reports.plot.intervals import (
    Interval,
    accuracy_interval,
    draw_chance,
    draw_interval,
    interval,
    per_seed,
    per_seed_accuracy,
)
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.scales import accuracy_axis
from deeptheory.reports.plot.styles import BLUE, GREEN, SINGLE_COLUMN, VERMILLION, stage_title, styled

OFFSET = 0.08  # of the two quantities of a panel to either side of their stage, so that bars do not overlap


@styled
def draw_accuracy_and_snr(
    stages: Sequence[str],
    accuracy: ArrayLike,
    predicted: ArrayLike | None,
    snr_mean_field: ArrayLike,
    snr_measured: ArrayLike,
    threshold: float,
    n_test: int,
    chance: float,
) -> Figure:
    """Draw the probe's accuracy (above) and the SNR of the clipped fields (below) against stage.

    Points are means over seeds; bars and their meaning are those of `intervals.interval`.

    Parameters
    ----------
    stages : sequence of M str
        Names of the stages in the order of the network.
    accuracy : array of shape (S, M) or (M,)
        Test accuracy of each stage's probe, one row per seed, within 0 and 1.
    predicted : array of shape (S, M) or (M,), or None
        Accuracy predicted by the Gaussian field theory; None leaves it out.
    snr_mean_field : array of shape (S, M) or (M,)
        Mean-field SNR. An infinite value (no noise) is written at the top edge as an infinity sign and an
        undefined one (NaN: nothing served) as "undef.".
    snr_measured : array of shape (S, M) or (M,)
        SNR counted from the clipped matrices.
    threshold : float
        Threshold at which the fields were clipped; the SNR means nothing without it.
    n_test : int
        Number of test inputs: gives the interval of the accuracy where there is one seed only.
    chance : float
        Accuracy of always giving the most frequent label: a line. The SNR of fields without structure, whose
        clipped elements are as frequent on the diagonal as beside it, is 1: a line as well.

    Raises
    ------
    InputError
        When shapes disagree or an accuracy is not within 0 and 1.

    Notes
    -----
    The bars of the accuracy do not contain the error of the probe's fit, and those of one seed not the
    differences between seeds.
    """
    if not stages:
        raise InputError("stages", "at least one stage", "none")
    n_stages = len(stages)
    position = np.arange(n_stages)
    figure = Figure(figsize=(SINGLE_COLUMN, 3.7))
    above, below = figure.subplots(2, 1, sharex=True)

    measured = accuracy_interval(per_seed_accuracy("accuracy", accuracy, n_stages), n_test)
    highest = float(measured.high.max())
    shift = 0.0 if predicted is None else OFFSET
    draw_interval(above, position - shift, measured, color=BLUE, marker="o", label="probe, measured")
    if predicted is not None:
        theory = accuracy_interval(per_seed_accuracy("predicted accuracy", predicted, n_stages))
        draw_interval(
            above,
            position + shift,
            theory,
            color=VERMILLION,
            marker="s",
            markerfacecolor="white",
            linestyle="--",
            label="Gaussian fields, predicted",
        )
        highest = max(highest, float(theory.high.max()))
    accuracy_axis(above, highest)
    draw_chance(above, chance)
    above.set_ylabel("test accuracy")
    above.legend(loc="best", title=measured.meaning, title_fontsize=7)

    mean_field = interval(per_seed("mean-field SNR", snr_mean_field, n_stages))
    counted = interval(per_seed("measured SNR", snr_measured, n_stages))
    draw_interval(below, position - OFFSET, counted, color=BLUE, marker="o", label="measured")
    draw_interval(
        below,
        position + OFFSET,
        mean_field,
        color=GREEN,
        marker="^",
        markerfacecolor="white",
        linestyle="--",
        label="mean field",
    )
    _write_unplottable(below, position - OFFSET, counted, BLUE, "right")
    _write_unplottable(below, position + OFFSET, mean_field, GREEN, "left")
    below.set_ylabel(rf"SNR ($\theta = {threshold:g}$)")
    below.margins(y=0.15)
    below.set_ylim(bottom=0)
    draw_chance(below, 1, "no structure")
    below.legend(loc="best")
    below.set_xticks(position, [stage_title(stage) for stage in stages])
    below.set_xlim(-0.5, n_stages - 0.5)
    below.set_xlabel("stage")
    below.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    return figure


def _write_unplottable(
    axes: Axes, x: NDArray[np.floating], points: Interval, color: ColorType, side: str
) -> None:
    for position, value in zip(x, points.mean, strict=True):
        if not np.isfinite(value):
            axes.annotate(
                r"$\infty$" if np.isinf(value) else "undef.",
                (position, 0.98),
                xycoords=("data", "axes fraction"),
                color=color,
                ha=side,
                va="top",
            )
