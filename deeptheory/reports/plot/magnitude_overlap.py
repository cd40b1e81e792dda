"""Figure: what pruning leaves of Gaussian weights, formula and simulation."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from deeptheory import theory
from deeptheory.errors import InputError
from deeptheory.reports.plot.styles import ARM_MARKS, SINGLE_COLUMN, styled
from deeptheory.theory.simulations.magnitude import Pruned

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]
SQUARED_OVERLAP: dict[str, Curve] = {"magnitude": theory.magnitude_overlap, "random": lambda kept: kept}


@styled
def draw_magnitude_overlap(kept: ArrayLike, simulated: dict[str, Sequence[Pruned]], n_weights: int) -> Figure:
    """Draw squared overlap (above) and sign disagreement (below) against the density.

    Lines are the formulas, points the means over weight vectors with bars of two standard errors, mostly
    smaller than the marks.

    Parameters
    ----------
    kept : array of shape (F,)
        Densities of the simulation.
    simulated : dict of str to sequence of F `Pruned`
        By ``magnitude`` and ``random``.
    n_weights : int
        Size of the simulated vectors, written in the figure: the formulas are the limit of large ones.

    Raises
    ------
    InputError
        When the simulation lacks a density.
    """
    density = np.asarray(kept, np.float64)
    figure = Figure(figsize=(SINGLE_COLUMN, 3.7))
    above, below = figure.subplots(2, 1, sharex=True)
    fine = np.linspace(0.002, 1, 500)
    for way, curve in SQUARED_OVERLAP.items():
        found = simulated[way]
        if len(found) != len(density):
            raise InputError(f"simulation of {way}", f"{len(density)} densities", str(len(found)))
        color, marker = ARM_MARKS[way]
        above.plot(fine, curve(fine), color=color, marker="", label=f"{way}, formula")
        below.plot(fine, theory.sign_disagreement(curve(fine)), color=color, marker="")
        for axes, values in (
            (above, np.array([of.squared_overlap for of in found])),
            (below, np.array([of.sign_disagreement for of in found])),
        ):
            axes.errorbar(
                density,
                values.mean(axis=1),
                yerr=2 * values.std(axis=1, ddof=1) / np.sqrt(values.shape[1]),
                color=color,
                marker=marker,
                markerfacecolor="white",
                linestyle="none",
                elinewidth=0.8,
                capsize=1.5,
                label=f"{way}, $N = {n_weights}$",
            )
    above.set_ylabel("squared overlap $R^2$")
    above.set_ylim(0, 1.04)
    above.legend(loc="lower right")
    below.set_ylabel("outputs of another sign")
    below.set_ylim(0, 0.5)
    below.set_xlim(0, 1.02)
    below.set_xlabel("density $f$ (share of weights kept)")
    return figure
