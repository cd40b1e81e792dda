"""Figure: losses of accuracy predicted before pruning against those measured after retraining."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.scales import SCALE, loss_axis, loss_limits
from deeptheory.reports.plot.styles import BLACK, GREY, SINGLE_COLUMN, arm_marks, arm_title, styled

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Losses:
    """Losses of several masks, each an (n,) array of shares against the unpruned network retrained equally.

    Attributes
    ----------
    predicted, low, high : array
        Before retraining, with the ends of the 95 % interval.
    measured, error : array
        After it, with half the width of the 95 % interval by the test inputs.
    """

    predicted: Floats
    low: Floats
    high: Floats
    measured: Floats
    error: Floats


@styled
def draw_predicted_losses(losses: Mapping[str, Losses], margin: float) -> Figure:
    """Draw measured against predicted losses in percentage points, one colour and marker per criterion.

    Both axes are on the scale of `scales.SCALE`, so that losses of half a point and of fifty can be read. The
    legend gives the mean of ``|predicted - measured|`` of every criterion.

    Parameters
    ----------
    losses : mapping of criterion to Losses
    margin : float
        Loss in points up to which a network counts as having lost nothing; drawn as a grey band.

    Raises
    ------
    InputError
        There is no loss, or one that is not finite.
    """
    if not sum(len(of_one.measured) for of_one in losses.values()):
        raise InputError("losses", "at least one", "none")
    for name, of_one in losses.items():
        for what, values in vars(of_one).items():
            if not np.isfinite(values).all():
                raise InputError(f"{what} losses of {name}", "finite numbers", "one that is not")
    figure = Figure(figsize=(SINGLE_COLUMN, 3.6 + 0.08 * len(losses)))
    axes = figure.subplots()
    everything: list[Floats] = []
    marks = arm_marks(losses)
    for name, of_one in losses.items():
        color, marker = marks[name]
        points = {what: 100 * values for what, values in vars(of_one).items()}
        wrong = float(np.mean(np.abs(points["predicted"] - points["measured"])))
        axes.errorbar(
            points["predicted"],
            points["measured"],
            xerr=[points["predicted"] - points["low"], points["high"] - points["predicted"]],
            yerr=points["error"],
            color=color,
            marker=marker,
            markerfacecolor="none",
            linestyle="none",
            elinewidth=0.4,
            markersize=5,
            markeredgewidth=0.7,
            label=f"{arm_title(name)}: {wrong:.2f} ({len(of_one.measured)})",
        )
        everything += [points["low"], points["high"]]
        everything += [points["measured"] - points["error"], points["measured"] + points["error"]]
    limits = loss_limits(everything)
    axes.axhspan(limits[0], margin, color=GREY, alpha=0.25, linewidth=0)
    axes.plot(limits, limits, color=BLACK, linewidth=0.6, zorder=0)
    loss_axis(axes, "x", limits)
    loss_axis(axes, "y", limits)
    axes.set_aspect("equal")
    axes.set_xlabel("predicted loss (points)")
    axes.set_ylabel("measured loss (points)")
    figure.legend(
        loc="outside upper center",
        title="mean |predicted − measured| in points (masks)\n"
        f"bars: 95% intervals; grey: at most {margin:g} lost\n"
        f"axes: {SCALE}",
        title_fontsize=7,
        alignment="left",
        ncols=2,
    )
    return figure
