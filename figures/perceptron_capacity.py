"""Capacity of a diluted perceptron, simulation between the quenched line and the annealed bound.

The results are those of simulations/perceptron_capacity.py.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from command_line import read_results, results_parser, save_figure
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from deeptheory import theory
from deeptheory.errors import InputError
from deeptheory.reports.plot.styles import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SINGLE_COLUMN,
    VERMILLION,
    styled,
)
from deeptheory.system.scripts import run_script

SIZE_MARKS = ((GREEN, "^"), (ORANGE, "s"), (BLUE, "o"), (PURPLE, "D"))
OFFSET = 0.012  # in density, between the sizes of panel (b)
Z = 1.96


class CapacityPoints(NamedTuple):
    """Densities, half points and their standard errors, `(F,)` each."""

    kept: ArrayLike
    load: ArrayLike
    error: ArrayLike


@styled
def draw_perceptron_capacity(points: Mapping[int, CapacityPoints]) -> Figure:
    """Draw the loads at which half of the instances succeed, against the density.

    (a) Patterns per original coupling, with the quenched line and the annealed bound. (b) The same as a share
    of the way from the line (0) to the bound (1), sizes side by side. Bars are 95% intervals.

    Parameters
    ----------
    points : mapping of int to CapacityPoints
        By the number of couplings N, at most four of them; densities below 1 (at 1 the two lines meet).

    Raises
    ------
    InputError
        When there is no size or there are too many, or a density is not within 0 and 1.

    Notes
    -----
    The bound is replica symmetric. How far the points stay below it says how good this search is, not how
    many patterns the best choice of couplings could store.
    """
    if not 1 <= len(points) <= len(SIZE_MARKS):
        raise InputError("sizes", f"1 to {len(SIZE_MARKS)}", str(len(points)))
    figure = Figure(figsize=(SINGLE_COLUMN, 4.4))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    fine = np.linspace(0.002, 1, 500)
    quenched, annealed = theory.quenched_capacity(fine), theory.annealed_capacity(fine)
    above.fill_between(fine, quenched, annealed, color=GREY, alpha=0.2, linewidth=0)
    above.plot(fine, annealed, color=VERMILLION, marker="", label="annealed, upper bound")
    above.plot(fine, quenched, color=BLACK, marker="", linestyle="--", label="quenched, exact")
    below.axhline(1, color=VERMILLION)
    below.axhline(0, color=BLACK, linestyle="--")
    for index, (size, capacity) in enumerate(sorted(points.items())):
        color, marker = SIZE_MARKS[index]
        kept, load, error = (np.asarray(values, np.float64) for values in capacity)
        if not np.all((kept > 0) & (kept < 1)):
            raise InputError("density", "values between 0 and 1", f"{kept}")
        look = {"color": color, "marker": marker, "linestyle": "none", "elinewidth": 0.8, "capsize": 1.5}
        above.errorbar(kept, load, yerr=Z * error, label=f"pruned and relearnt, $N = {size}$", **look)
        low = theory.quenched_capacity(kept)
        gap = theory.annealed_capacity(kept) - low
        moved = kept + OFFSET * (index - (len(points) - 1) / 2)
        below.errorbar(moved, (load - low) / gap, yerr=Z * error / gap, **look)
    above.set_title("(a)", loc="left")
    above.set_ylabel(r"capacity $\alpha_c$ (patterns per coupling)")
    above.set_ylim(0, 2.1)
    above.legend(loc="lower right")
    below.set_title("(b) share of the way between the lines", loc="left")
    below.set_ylim(-0.08, 1.12)
    below.set_ylabel("0: quenched, 1: annealed")
    below.set_xlim(0, 1)
    below.set_xlabel("density $f$ (share of couplings kept)")
    return figure


def main() -> None:
    """Draw the figure."""
    arguments = results_parser(__doc__).parse_args()
    points = {}
    for n_couplings, capacity in read_results(arguments.results)["capacities"].items():
        diluted = {float(kept): point for kept, point in capacity["points"].items() if float(kept) < 1}
        points[int(n_couplings)] = CapacityPoints(
            list(diluted),
            [point["load"] for point in diluted.values()],
            [point["error"] for point in diluted.values()],
        )
    save_figure(draw_perceptron_capacity(points), arguments.out, "perceptron-capacity")


if __name__ == "__main__":
    run_script(main)
