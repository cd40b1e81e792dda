"""What pruning leaves of Gaussian weights, formula and simulation (seconds)."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from command_line import parser, save_figure
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from deeptheory import theory
from deeptheory.errors import InputError
from deeptheory.reports.plot.styles import ARM_MARKS, SINGLE_COLUMN, styled
from deeptheory.system.scripts import run_script
from deeptheory.theory.simulations.magnitude import Pruned, prune_at_random, prune_by_magnitude

KEPT = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
N_WEIGHTS, N_VECTORS, N_INPUTS = 1000, 50, 400

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]
SQUARED_OVERLAP: dict[str, Curve] = {"magnitude": theory.magnitude_overlap, "random": lambda kept: kept}


@styled
def draw_magnitude_overlap(
    kept: ArrayLike, simulated: Mapping[str, Sequence[Pruned]], n_weights: int
) -> Figure:
    """Draw squared overlap (above) and sign disagreement (below) against the density.

    Lines are the formulas, points the means over weight vectors with bars of two standard errors, mostly
    smaller than the marks.

    Parameters
    ----------
    kept : array of shape (F,)
        Densities of the simulation.
    simulated : mapping of str to sequence of F `Pruned`
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
    for criterion, curve in SQUARED_OVERLAP.items():
        vectors = simulated[criterion]
        if len(vectors) != len(density):
            raise InputError(f"simulation of {criterion}", f"{len(density)} densities", str(len(vectors)))
        color, marker = ARM_MARKS[criterion]
        above.plot(fine, curve(fine), color=color, marker="", label=f"{criterion}, formula")
        below.plot(fine, theory.sign_disagreement(curve(fine)), color=color, marker="")
        for axes, values in (
            (above, np.array([pruned.squared_overlap for pruned in vectors])),
            (below, np.array([pruned.sign_disagreement for pruned in vectors])),
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
                label=f"{criterion}, $N = {n_weights}$",
            )
    above.set_ylabel("squared overlap $R^2$")
    above.set_ylim(0, 1.04)
    above.legend(loc="lower right")
    below.set_ylabel("outputs of another sign")
    below.set_ylim(0, 0.5)
    below.set_xlim(0, 1.02)
    below.set_xlabel("density $f$ (share of weights kept)")
    return figure


def main() -> None:
    """Simulate and draw the figure."""
    options = parser(__doc__)
    options.add_argument("--seed", type=int, default=0)
    arguments = options.parse_args()
    rng = np.random.default_rng(arguments.seed)
    simulated = {
        criterion: [prune(kept, N_WEIGHTS, N_VECTORS, N_INPUTS, rng) for kept in KEPT]
        for criterion, prune in (("magnitude", prune_by_magnitude), ("random", prune_at_random))
    }
    save_figure(draw_magnitude_overlap(KEPT, simulated, N_WEIGHTS), arguments.out, "magnitude-overlap")


if __name__ == "__main__":
    run_script(main)
