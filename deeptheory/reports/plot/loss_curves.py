"""Figure: predicted loss against dilution, for every layer alone and for all, by epochs of retraining."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.scales import SCALE, loss_axis, loss_limits
from deeptheory.reports.plot.styles import BLACK, DOUBLE_COLUMN, GREY, styled

Floats = NDArray[np.float64]
COLUMNS = 4


@dataclass(frozen=True)
class LossCurve:
    """Losses against dilution of masks along one order of removal, shares.

    Attributes
    ----------
    dilution : (n,) array
        Increasing.
    predicted : mapping of int to (n,) array
        By epochs of retraining; 0: after the refit in closed form, nothing retrained.
    low, high : (n,) array
        Ends of the 95 % interval for `epochs`; NaN where they are not known.
    measured : mapping of float to float
        By dilution, after `epochs`.
    knee : float
        Largest dilution predicted to stay within the tolerance after `epochs`.
    """

    dilution: Floats
    predicted: Mapping[int, Floats]
    low: Floats
    high: Floats
    measured: Mapping[float, float]
    knee: float


@styled
def draw_loss_curves(curves: Mapping[str, LossCurve], epochs: int, tolerance: float) -> Figure:
    """Draw one panel for every set of layers: predicted losses in points against dilution.

    Lines belong to lengths of retraining, the black one with its 95 % interval to that of the run; crosses are
    measured. A dotted line is the tolerance, a vertical one the knee.

    Parameters
    ----------
    curves : mapping of title to LossCurve
    epochs : int
        Of the run.
    tolerance : float
        Accepted loss, a share.

    Raises
    ------
    InputError
        There is no curve.
    """
    if not curves:
        raise InputError("loss curves", "at least one", "none")
    rows = -(-len(curves) // COLUMNS)
    figure = Figure(figsize=(DOUBLE_COLUMN, 0.9 + 1.5 * rows))
    grid = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True)
    values = [curve for of_one in curves.values() for curve in (*of_one.predicted.values(), of_one.high)]
    values += [np.array(list(of_one.measured.values())) for of_one in curves.values()]
    limits = loss_limits([100 * each for each in values])
    for axes, (title, curve) in zip(grid.ravel(), curves.items(), strict=False):
        _draw_panel(axes, curve, epochs, 100 * tolerance)
        axes.set_title(title, fontsize=7)
    loss_axis(grid[0, 0], "y", limits)  # shared
    _label_outer(grid, len(curves))
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.supxlabel("dilution of the layers of the panel", fontsize=8)
    figure.supylabel("loss of accuracy (points)", fontsize=8)
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=len(handles),
        title=f"epochs of retraining, black: the run's, with its 95 % interval; dotted: tolerance, "
        f"{100 * tolerance:g} points;\nvertical: largest dilution within it; axis of losses: {SCALE}",
        title_fontsize=7,
    )
    return figure


def _draw_panel(axes: Axes, curve: LossCurve, epochs: int, tolerance: float) -> None:
    shades = np.linspace(0.15, 0.8, len(curve.predicted))
    for shade, (length, losses) in zip(shades, sorted(curve.predicted.items()), strict=True):
        own = length == epochs
        label = "0 (refit)" if length == 0 else f"{length}"
        color = BLACK if own else (0.9 * (1 - shade), 0.45, 0.3 + 0.6 * shade)
        axes.plot(
            curve.dilution, 100 * losses, color=color, linewidth=1.2 if own else 0.8, marker=".", label=label
        )
    known = np.isfinite(curve.low)
    band = 100 * curve.low[known], 100 * curve.high[known]
    axes.fill_between(curve.dilution[known], *band, color=GREY, alpha=0.3, linewidth=0)
    axes.axhline(tolerance, color=BLACK, linewidth=0.6, linestyle=":")
    axes.axvline(curve.knee, color=GREY, linewidth=0.8)
    if curve.measured:
        places = sorted(curve.measured)
        points = [100 * curve.measured[place] for place in places]
        axes.plot(places, points, linestyle="none", marker="x", color=BLACK, label=f"measured, {epochs}")
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])


def _label_outer(grid: NDArray[np.object_], drawn: int) -> None:
    """Hide the panels that hold nothing, and give the lowest ones drawn their numbers."""
    for number, axes in enumerate(grid.ravel()):
        if number >= drawn:
            axes.set_visible(False)
        elif number + COLUMNS >= drawn:
            axes.xaxis.set_tick_params(labelbottom=True)
