"""How soft committee machines learn and what removing hidden units does, theory and simulation.

The results are those of simulations/committee.py.
"""

from collections.abc import Mapping
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
from command_line import read_results, results_parser, save_figure
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
from deeptheory.system.scripts import run_script

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
    above[0].legend(title=f"lines: theory; {meaning}", title_fontsize=7)  # for all panels
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


def _check_positive(name: str, predicted: NDArray[np.float64], simulated: NDArray[np.float64]) -> None:
    lowest = min(predicted.min(), simulated.min())
    if not lowest > 0:
        raise InputError(f"generalisation errors of {name}", "values above 0", f"{lowest:g}")


class Study(NamedTuple):
    """Predicted values and those of every seed, by the name of the case."""

    predicted: dict[str, Any]
    simulated: dict[str, list[Any]]

    def error(self, name: str) -> Curve:
        """Generalisation error of the full student."""
        predicted, runs = self.predicted[name], self.simulated[name]
        return Curve(predicted["alpha"], predicted["error"], [run["error"] for run in runs])

    def overlap(self, name: str, which: str, row: int, column: int) -> Curve:
        """One order parameter of the full student."""
        predicted, runs = self.predicted[name], self.simulated[name]
        theory, *simulated = (np.array(values[which])[:, row, column] for values in (predicted, *runs))
        return Curve(predicted["alpha"], theory, simulated)

    def after_removals(self, name: str) -> dict[str, Curve]:
        """Generalisation error of the full student, and of those that learn on without some of its units."""
        curves = {"no unit removed": self.error(name)}
        for index, removal in enumerate(self.predicted[name]["removals"]):
            for choice, rank in (("best", 0), ("worst", -1)):
                units = unit_names(removal["ranked"][rank][0])
                simulated = [run["removals"][index]["further"][choice] for run in self.simulated[name]]
                curve = Curve(removal["alpha"], removal["further"][choice], simulated)
                curves[rf"unit {units} at $\alpha={removal['alpha'][0]:g}$"] = curve
        return curves

    def sets(self, name: str) -> dict[str, tuple[float, ArrayLike]]:
        """Generalisation error at the end, and right after each set of units is removed."""
        predicted, runs = self.predicted[name], self.simulated[name]
        errors: dict[str, tuple[float, ArrayLike]] = {
            "none": (predicted["error"][-1], [run["error"][-1] for run in runs])
        }
        for index, removal in enumerate(predicted["removals"]):
            for rank, (units, expected) in enumerate(removal["ranked"]):
                at_once = [run["removals"][index]["at_once"][rank] for run in runs]
                errors[unit_names(units)] = (expected, at_once)
        return errors


def unit_names(units: list[int]) -> str:
    """Units numbered from 1, as in the figure."""
    return ", ".join(str(unit + 1) for unit in units)


def main() -> None:
    """Draw the figure."""
    arguments = results_parser(__doc__).parse_args()
    results = read_results(arguments.results)
    study = Study(
        results["predicted"], {name: list(runs.values()) for name, runs in results["simulated"].items()}
    )
    overlaps = {
        "$R_{11}$": ("R", 0, 0),
        "$R_{12}$": ("R", 0, 1),
        "$R_{22}$": ("R", 1, 1),
        "$R_{31}$": ("R", 2, 0),
        "$Q_{33}$": ("Q", 2, 2),
    }
    figure = draw_committee(
        Panel(
            f"learning, $N = {results['setting']['inputs']}$",
            {f"$K = {name[1:]}$": study.error(name) for name in study.predicted},
        ),
        Panel(
            "overlaps, $K = 3$",
            {title: study.overlap("K3", *element) for title, element in overlaps.items()},
        ),
        Panel("a unit removed, training goes on, $K = 3$", study.after_removals("K3")),
        Sets(
            rf"units removed at $\alpha = {study.predicted['K4']['alpha'][-1]:g}$, $K = 4$", study.sets("K4")
        ),
    )
    save_figure(figure, arguments.out, "committee")


if __name__ == "__main__":
    run_script(main)
