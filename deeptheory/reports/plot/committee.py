"""Figure: how soft committee machines learn and what removing hidden units does, theory and simulation."""

from collections.abc import Mapping
from itertools import cycle
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from deeptheory.errors import InputError
from deeptheory.reports.plot.intervals import draw_interval, interval, per_seed
from deeptheory.reports.plot.styles import (
    BLACK,
    BLUE,
    DOUBLE_COLUMN,
    GREEN,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    VERMILLION,
    Mark,
    styled,
)

MARKS: tuple[Mark, ...] = (
    (BLUE, "o"),
    (VERMILLION, "s"),
    (GREEN, "^"),
    (ORANGE, "v"),
    (PURPLE, "D"),
    (SKY_BLUE, "P"),
)
POINTS = 16  # simulated points drawn per curve, so that the line stays visible


class Curve(NamedTuple):
    """One quantity along the learning: alpha (n,), predicted (n,), simulated (S, n) for S seeds."""

    alpha: ArrayLike
    predicted: ArrayLike
    simulated: ArrayLike


class Panel(NamedTuple):
    """Title of a panel and its curves by their name in the legend."""

    title: str
    curves: Mapping[str, Curve]


class Sets(NamedTuple):
    """Title of a panel and, per removed set of units, the predicted error and the simulated ones (S,)."""

    title: str
    errors: Mapping[str, tuple[float, ArrayLike]]


@styled
def draw_committee(learning: Panel, overlaps: Panel, removed: Panel, sets: Sets) -> Figure:
    """Draw theory as lines and simulation as points; points and bars are those of `intervals.interval`.

    Parameters
    ----------
    learning : Panel
        Generalisation error of each case against alpha.
    overlaps : Panel
        Order parameters of one case.
    removed : Panel
        Generalisation error of one case in full, and from where a unit is removed on.
    sets : Sets
        Generalisation error right after each set of units is removed.

    Raises
    ------
    InputError
        When a panel is empty, shapes disagree, or a generalisation error is not positive.

    Notes
    -----
    The bars are of the mean over seeds: they shrink with the number of seeds, the scatter of a network does not.
    """
    figure = Figure(figsize=(DOUBLE_COLUMN, 5.0))
    above, below = figure.subplots(2, 2)
    meaning = _draw_curves(above[0], learning, logarithmic=True)
    above[0].legend(title=f"lines: theory, bars: {meaning}", title_fontsize=7)  # for all panels
    _draw_curves(above[1], overlaps, logarithmic=False)
    _draw_curves(below[0], removed, logarithmic=True)
    _draw_sets(below[1], sets)
    for letter, axes in zip("abcd", figure.axes, strict=True):
        axes.set_title(f"({letter}) {axes.get_title()}")
    return figure


def _draw_curves(axes: Axes, panel: Panel, logarithmic: bool) -> str:
    if not panel.curves:
        raise InputError(f"curves of '{panel.title}'", "at least one", "none")
    longest = max(np.ptp(curve.alpha) for curve in panel.curves.values())
    for (label, curve), (color, marker) in zip(panel.curves.items(), cycle(MARKS), strict=False):
        alpha, predicted = (np.asarray(values, dtype=np.float64) for values in curve[:2])
        if alpha.ndim != 1 or predicted.shape != alpha.shape:
            found = f"{alpha.shape} and {predicted.shape}"
            raise InputError(f"alpha and theory of {label}", "shape (n,) twice", found)
        simulated = per_seed(f"simulation of {label}", curve.simulated, len(alpha))
        if logarithmic:
            _check_positive(label, predicted, simulated)
        axes.plot(alpha, predicted, color=color)
        wanted = np.arange(alpha[0], alpha[-1], longest / POINTS)
        shown = np.unique(np.append(np.searchsorted(alpha, wanted), len(alpha) - 1))
        points = interval(simulated[:, shown])
        look = {"color": color, "marker": marker, "markerfacecolor": "none", "linestyle": "none"}
        draw_interval(axes, alpha[shown], points, label=label, **look)
    axes.set_title(panel.title)
    axes.set_xlabel(r"$\alpha$ (inputs seen per input dimension)")
    axes.set_ylabel(r"generalisation error $\epsilon_g$" if logarithmic else "overlap")
    if logarithmic:
        axes.set_yscale("log")
    axes.legend()
    return points.meaning


def _draw_sets(axes: Axes, sets: Sets) -> None:
    if not sets.errors:
        raise InputError(f"sets of '{sets.title}'", "at least one", "none")
    position = np.arange(len(sets.errors))
    predicted = np.array([error for error, _ in sets.errors.values()])
    simulated = np.column_stack([np.ravel(errors) for _, errors in sets.errors.values()])
    _check_positive(sets.title, predicted, simulated)
    axes.hlines(predicted, position - 0.35, position + 0.35, color=BLACK, label="theory")
    look = {"color": BLUE, "marker": "o", "markerfacecolor": "none", "linestyle": "none"}
    draw_interval(axes, position, interval(simulated), label="simulation", **look)
    axes.set_title(sets.title)
    axes.set_yscale("log")
    axes.set_xticks(position, list(sets.errors))
    axes.tick_params(axis="x", which="both", top=False)
    axes.set_xlabel("removed units")
    axes.set_ylabel(r"$\epsilon_g$ right after removal")
    axes.legend()


def _check_positive(name: str, predicted: NDArray, simulated: NDArray) -> None:
    lowest = min(predicted.min(), simulated.min())
    if not lowest > 0:
        raise InputError(f"generalisation errors of {name}", "values above 0", f"{lowest:g}")
