"""Simulated committees around the theory, in the band of one network, and their mean against 1/N.

The results are those of simulations/committee_sizes.py.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from command_line import read_results, results_parser, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter
from numpy.typing import ArrayLike

from deeptheory.errors import InputError
from deeptheory.reports.plot.styles import BLACK, BLUE, DOUBLE_COLUMN, GREY, ORANGE, styled
from deeptheory.system.scripts import run_script

BAND = 2.0  # standard deviations of one network
LINEAR = 10.0  # times up to which the axis is linear


class Deviations(NamedTuple):
    """Title of a panel; alpha (n,), deviations of the error (S, n) and predicted scatter of one network (n,).

    Deviations and scatter are shares of the plateau.
    """

    title: str
    alpha: ArrayLike
    deviation: ArrayLike
    scatter: ArrayLike


class Sizes(NamedTuple):
    """Relative differences from theory by number of inputs, (F,) each, with their errors; slope / N."""

    title: str
    inputs: ArrayLike
    difference: ArrayLike
    error: ArrayLike
    slope: float


@styled
def draw_committee_scatter(cases: Sequence[Deviations], sizes: Sizes) -> Figure:
    """Draw deviations from theory in percent: networks as thin lines, their mean, and the predicted band.

    Parameters
    ----------
    cases : sequence of Deviations
        Three; a panel each.
    sizes : Sizes
        For the last panel; bars are two of the errors given.

    Raises
    ------
    InputError
        When there are not three cases, or the shapes of one disagree.

    Notes
    -----
    The band is of one network: the mean of S networks should lie within its S^(-1/2). Times of one curve are
    correlated, so a curve outside for a while is one event and not many.
    """
    if len(cases) != 3:
        raise InputError("cases", "three", str(len(cases)))
    figure = Figure(figsize=(DOUBLE_COLUMN, 5.0))
    panels = figure.subplots(2, 2).ravel()
    for axes, case in zip(panels[:3], cases, strict=True):
        _draw_deviations(axes, case)
    panels[0].legend()
    _draw_sizes(panels[3], sizes)
    for letter, axes in zip("abcd", panels, strict=True):
        axes.set_title(f"({letter}) {axes.get_title()}")
    return figure


def _draw_deviations(axes: Axes, case: Deviations) -> None:
    alpha, scatter = np.asarray(case.alpha, np.float64), np.asarray(case.scatter, np.float64)
    deviation = np.asarray(case.deviation, np.float64)
    if deviation.ndim != 2 or deviation.shape[1:] != alpha.shape or scatter.shape != alpha.shape:
        found = f"{alpha.shape}, {deviation.shape} and {scatter.shape}"
        raise InputError(f"alpha, deviation and scatter of {case.title}", "(n,), (S, n) and (n,)", found)
    band = 100 * BAND * scatter
    axes.fill_between(
        alpha, -band, band, color=GREY, alpha=0.3, linewidth=0, label="twice the predicted scatter"
    )
    networks = axes.plot(alpha, 100 * deviation.T, color=BLUE, linewidth=0.5)
    networks[0].set_label("one network")
    axes.plot(alpha, 100 * deviation.mean(axis=0), color=ORANGE, label=f"mean of {len(deviation)}")
    axes.axhline(0, color=BLACK, linewidth=0.6)
    axes.set_title(case.title)
    axes.set_xscale("symlog", linthresh=LINEAR)
    axes.set_xlim(0, alpha[-1])
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_xlabel(rf"$\alpha$ (inputs per input dimension; linear to {LINEAR:g}, then logarithmic)")
    axes.set_ylabel(r"$\epsilon_g$ $-$ theory (% of plateau)")


def _draw_sizes(axes: Axes, sizes: Sizes) -> None:
    inverse = 1000 / np.asarray(sizes.inputs, np.float64)
    bars = 100 * BAND * np.asarray(sizes.error, np.float64)
    axes.errorbar(
        inverse,
        100 * np.asarray(sizes.difference),
        yerr=bars,
        color=BLUE,
        marker="o",
        linestyle="none",
        markerfacecolor="none",
        label="mean, bars: twice its error",
    )
    line = np.array([0.0, 1.1 * inverse.max()])
    axes.plot(line, 100 * sizes.slope * line / 1000, color=ORANGE, label=f"{sizes.slope:.0f} / N")
    axes.axhline(0, color=BLACK, linewidth=0.6)
    axes.set_title(sizes.title)
    axes.set_xlabel(r"$1000 / N$")
    axes.set_ylabel("simulated − predicted (%)")
    axes.legend(loc="lower right")


def main() -> None:
    """Draw the figure."""
    parser = results_parser(__doc__)
    parser.add_argument("--inputs", type=int, default=4000, help="number N of inputs in panels a to c")
    arguments = parser.parse_args()
    results = read_results(arguments.results)
    cases = [
        Deviations(
            f"$K = {name[1:]}$, $N = {compared['inputs']}$",
            compared["alpha"],
            compared["deviation"],
            compared["scatter"],
        )
        for name, sizes in results["cases"].items()
        for compared in sizes
        if compared["inputs"] == arguments.inputs
    ]
    fit, fitted = results["fits"]["K4"][-1], results["cases"]["K4"]
    inputs = [compared["inputs"] for compared in fitted]
    units = ", ".join(str(unit + 1) for unit in fitted[0]["removals"][-1]["removed"])
    sizes = Sizes(f"$K = 4$ without units {units}", inputs, fit["mean"], fit["error"], fit["slope"])
    save_figure(draw_committee_scatter(cases, sizes), arguments.out, "committee-scatter")


if __name__ == "__main__":
    run_script(main)
