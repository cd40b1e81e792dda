"""Figure: accuracy after retraining against density, one line per criterion."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from deeptheory.errors import InputError
from deeptheory.reports.plot.intervals import (
    Interval,
    accuracy_interval,
    draw_chance,
    draw_interval,
    interval,
    per_seed_accuracy,
)
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.scales import SCALE, accuracy_axis, loss_axis, loss_limits
from deeptheory.reports.plot.styles import BLACK, DOUBLE_COLUMN, Mark, arm_marks, arm_title, styled

PER_COLUMN = 8  # criteria in one column of panels, at most
SPREAD = 0.03  # shift between two criteria as a share of the density, at most: intervals can be told apart


@styled
def draw_accuracy_against_density(
    unpruned: ArrayLike,
    accuracy: Mapping[str, Mapping[float, ArrayLike]],
    margin: float,
    chance: float,
    predicted: Mapping[str, Mapping[float, ArrayLike]] | None = None,
) -> Figure:
    """Draw accuracy (above) and loss against the unpruned network of the same seed (below) against density.

    Points are means over seeds with their intervals (`intervals.interval`); the points of one density are moved
    apart by a few percent of it, less where densities are close. Lines lead over densities that a criterion
    lacks. The lower panels hold every loss, on the scale of `scales.SCALE`. Where there are more than eight
    criteria they share two columns.

    Parameters
    ----------
    unpruned : array of shape (S,)
        Test accuracy without a mask, retrained equally long.
    accuracy : mapping of criterion to mapping of density to array of shape (S,)
        In the same order of seeds and with the same densities everywhere; NaN where a criterion cannot reach one.
    margin : float
        Largest loss that counts as none, in percentage points: a dotted line.
    chance : float
        Accuracy of always giving the most frequent label: a line.
    predicted : mapping of criterion to mapping of density to array of shape (S,), optional
        Losses predicted before retraining, shares: dashed lines of their means in the lower panels.

    Raises
    ------
    InputError
        When there is no criterion, densities or seeds differ, or a value is not an accuracy.
    """
    if not accuracy:
        raise InputError("criteria", "at least one", "none")
    reference = per_seed_accuracy("unpruned", np.reshape(unpruned, (-1, 1)), 1)
    densities = sorted(next(iter(accuracy.values())))
    values = {name: checked_curve(name, curve, densities, len(reference)) for name, curve in accuracy.items()}
    marks = arm_marks(values)
    names = list(values)
    n_columns = -(-len(names) // PER_COLUMN)
    height = -(-len(names) // n_columns)
    figure = Figure(figsize=(DOUBLE_COLUMN, 5.2))
    grid = figure.subplots(2, n_columns, squeeze=False, sharex=True, sharey="row")
    highest, losses, drawn = float(reference.max()), [], []
    for column in range(n_columns):
        chosen = names[column * height : (column + 1) * height]
        above, below = grid[:, column]
        shown = {name: values[name] for name in chosen}
        losses += draw_criteria(above, below, reference, shown, densities, marks, margin)
        drawn += draw_predictions(below, {name: (predicted or {}).get(name, {}) for name in chosen}, marks)
        highest = max(highest, *(float(np.nanmax(curve, initial=0)) for curve in shown.values()))
        density_axis(below, densities, "{x:g}")
        below.set_xlabel("density of the masked layers (share kept)")
    finish_panels(grid, highest, losses, drawn, chance, margin)
    for above in grid[0]:
        columns = 6 if n_columns == 1 else 3
        above.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns)
    title = "after retraining; black line: unpruned, retrained equally long"
    figure.suptitle(f"{title}; {meaning_of(losses, drawn)}", fontsize=8)
    return figure


def finish_panels(
    grid: NDArray[np.object_],
    highest: float,
    losses: list[Interval],
    predicted: list[NDArray[np.float64]],
    chance: float,
    margin: float,
) -> None:
    """Set the axes of accuracies (first row) and of losses (second row) so that they hold all of the points."""
    limits = loss_limits([*(end for loss in losses for end in (loss.mean, loss.low, loss.high)), *predicted])
    for above, below in grid.T:
        accuracy_axis(above, highest)
        draw_chance(above, chance)
        loss_axis(below, "y", limits)
        below.set_ylim(limits[::-1])
    grid[0, 0].set_ylabel("test accuracy")
    grid[1, 0].set_ylabel(f"loss in points (dotted: {margin:g})\n{SCALE}", fontsize=7)


def meaning_of(losses: list[Interval], predicted: list[NDArray[np.float64]]) -> str:
    """What bars and dashed lines are, for a title."""
    return losses[0].meaning + ("; dashed: predicted loss" if predicted else "")


def draw_criteria(
    above: Axes,
    below: Axes,
    reference: NDArray[np.float64],
    values: Mapping[str, NDArray[np.float64]],
    densities: list[float],
    marks: Mapping[str, Mark],
    margin: float,
) -> list[Interval]:
    """Draw accuracies (seeds, densities) of criteria above and losses against `reference` (seeds, 1) below.

    With the lines of the reference and of the margin; the losses are returned.
    """
    above.axhline(reference.mean(), color=BLACK, linewidth=0.6)
    below.axhline(0, color=BLACK, linewidth=0.6)
    below.axhline(margin, color=BLACK, linewidth=0.8, linestyle=":")
    step, losses = _shift(densities, len(values)), []
    for position, (name, accuracies) in enumerate(values.items()):
        x = np.array(densities) * (1 + step * (position - (len(values) - 1) / 2))
        losses.append(interval(100 * (reference - accuracies)))
        _draw(above, x, accuracy_interval(accuracies), marks[name], arm_title(name))
        _draw(below, x, losses[-1], marks[name], None)
    return losses


def draw_predictions(
    below: Axes, predicted: Mapping[str, Mapping[float, ArrayLike]], marks: Mapping[str, Mark]
) -> list[NDArray[np.float64]]:
    """Draw means of predicted losses, shares, as dashed lines into a panel of losses in points; returns them."""
    drawn = []
    for name, losses in predicted.items():
        densities = sorted(losses)
        if densities:
            drawn.append(np.array([100 * np.mean(np.asarray(losses[density])) for density in densities]))
            below.plot(densities, drawn[-1], color=marks[name][0], linewidth=0.7, linestyle="--", zorder=0)
    return drawn


def density_axis(axes: Axes, densities: list[float], text: str | Callable[[float, float], str]) -> None:
    """A logarithmic axis with one mark for every density, reached or not, formatted by `text`."""
    axes.set_xscale("log")
    axes.update_datalim([(density, 0) for density in densities], updatey=False)
    axes.autoscale_view(scaley=False)
    axes.xaxis.set_major_locator(FixedLocator(densities))
    axes.xaxis.set_major_formatter(text)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _shift(densities: list[float], n_criteria: int) -> float:
    """Shift between two criteria: all points of a density together take half of the way to the next at most."""
    closest = np.diff(np.log(densities)).min(initial=np.inf)
    return float(min(SPREAD, closest / 2 / n_criteria))


def checked_curve(
    name: str, curve: Mapping[float, ArrayLike], densities: list[float], n_seeds: int
) -> NDArray[np.float64]:
    """Accuracies of a criterion as an array (seeds, densities), NaN where a density was not reached."""
    if sorted(curve) != densities:
        raise InputError(f"densities of {name}", str(densities), str(sorted(curve)))
    columns = []
    for density in densities:
        column = np.asarray(curve[density], np.float64)
        known = column[~np.isnan(column)]
        if column.shape != (n_seeds,):
            raise InputError(f"seeds of {name}", f"{n_seeds}, as unpruned", str(column.shape))
        per_seed_accuracy(f"accuracy of {name} at density {density:g}", known[None], len(known))
        columns.append(column)
    return np.column_stack(columns)


def _draw(axes: Axes, x: NDArray[np.float64], points: Interval, mark: Mark, label: str | None) -> None:
    color, marker = mark
    known = ~np.isnan(points.mean)
    points = Interval(points.mean[known], points.low[known], points.high[known], points.meaning)
    draw_interval(
        axes,
        x[known],
        points,
        color=color,
        marker=marker,
        markersize=3,
        linewidth=0.7,
        label=label,
        clip_on=not known.any(),  # the layout would make room for nothing, at infinity
    )
