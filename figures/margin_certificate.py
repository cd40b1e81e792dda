"""Accuracy of a masked network without retraining, and how much of it was guaranteed.

The results are those of simulations/margin_certificate.py.
"""

from collections.abc import Mapping

import numpy as np
from command_line import read_results, results_parser, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from deeptheory.errors import InputError
from deeptheory.reports.plot.intervals import draw_chance, per_seed_accuracy
from deeptheory.reports.plot.styles import (
    BLACK,
    BLUE,
    DOUBLE_COLUMN,
    GREEN,
    ORANGE,
    VERMILLION,
    Mark,
    arm_title,
    stage_title,
    styled,
)
from deeptheory.system.scripts import run_script

LABELS = {  # names in the results, and in the legend
    "measured": "measured",
    "own change": "own change known",
    "largest change": "largest change on the measure split",
    "intervals": "intervals, before any run",
}
MARKS: tuple[Mark, ...] = ((BLACK, "o"), (BLUE, "s"), (GREEN, "^"), (VERMILLION, "v"), (ORANGE, "D"))

Curves = Mapping[str, tuple[ArrayLike, ArrayLike]]


@styled
def draw_margin_certificate(
    panels: Mapping[str, Mapping[str, Curves]], untouched: float, chance: float
) -> Figure:
    """Draw accuracies against dilution, one row per criterion and one column per set of masked layers.

    Parameters
    ----------
    panels : mapping of criterion to mapping of masked layers to curves
        The same masked layers for every criterion; `stage3` is titled by its number. Curves by name, the measured
        accuracy first: dilutions (T,) within (0, 1] and accuracies (T,) within 0 and 1. At most 5 curves.
    untouched : float
        Accuracy without masks, where all curves begin.
    chance : float
        Accuracy of always giving the most frequent label: a line.

    Raises
    ------
    InputError
        When there is no panel, a criterion lacks masked layers, or a number is out of range.
    """
    columns = list(next(iter(panels.values()), {}))
    if not columns:
        raise InputError("panels", "at least one criterion with masked layers", "none")
    figure = Figure(figsize=(DOUBLE_COLUMN, 0.6 + 1.3 * len(panels)))
    grid = figure.subplots(len(panels), len(columns), sharex=True, sharey=True, squeeze=False)
    for row, (criterion, of_criterion) in zip(grid, panels.items(), strict=True):
        if list(of_criterion) != columns:
            expected, found = ", ".join(columns), ", ".join(of_criterion)
            raise InputError(f"masked layers of {criterion}", expected, found)
        for axes, (target, curves) in zip(row, of_criterion.items(), strict=True):
            _draw(axes, f"{criterion}, {target}", curves, untouched)
        row[0].set_ylabel(arm_title(criterion))
    for axes, target in zip(grid[0], columns, strict=True):
        title = stage_title(target)
        axes.set_title(f"stage {title}" if title != target else target)
    grid[0, 0].set(xlim=(-0.03, 1), ylim=(0, 1))
    grid[0, 0].set_xticks((0, 0.5, 1))
    for axes in grid.flat:
        draw_chance(axes, chance)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    figure.supxlabel("dilution of the masked layers", fontsize=8)
    figure.supylabel("test accuracy without retraining", fontsize=8)
    return figure


def _draw(axes: Axes, name: str, curves: Curves, untouched: float) -> None:
    for (label, (dilution, accuracy)), (color, marker) in zip(curves.items(), MARKS, strict=False):
        at = _checked_dilution(f"dilution of {name}", dilution)
        heights = per_seed_accuracy(f"{label} of {name}", accuracy, len(at))[0]
        order = np.argsort(at)
        x, y = np.append(0, at[order]), np.append(untouched, heights[order])
        style = "-" if color == BLACK else "--"
        axes.plot(
            x, y, color=color, marker=marker, markersize=2.5, linestyle=style, label=label, clip_on=False
        )


def _checked_dilution(name: str, dilution: ArrayLike) -> NDArray[np.float64]:
    values = np.atleast_1d(np.asarray(dilution, np.float64))
    outside = values[~((values > 0) & (values <= 1))]
    if outside.size:
        raise InputError(name, "shares within (0, 1]", f"{outside[0]:g}")
    return values


def main() -> None:
    """Draw the figure."""
    arguments = results_parser(__doc__).parse_args()
    results = read_results(arguments.results)
    panels: dict[str, dict[str, Curves]] = {}
    for target, criteria in results["targets"].items():
        for criterion, densities in criteria.items():
            dilution = [1 - float(density) for density in densities]
            panels.setdefault(criterion, {})[target] = {
                label: (dilution, [accuracies[name] for accuracies in densities.values()])
                for name, label in LABELS.items()
            }
    save_figure(
        draw_margin_certificate(panels, results["accuracy"], results["chance"]),
        arguments.out,
        "margin-certificate",
    )


if __name__ == "__main__":
    run_script(main)
