"""Figure: accuracy and loss against dilution after retrainings of different length, one column each."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from deeptheory.errors import InputError
from deeptheory.reports.plot.accuracy_against_density import (
    checked_curve,
    density_axis,
    draw_criteria,
    draw_predictions,
)
from deeptheory.reports.plot.intervals import draw_chance, per_seed_accuracy
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.styles import DOUBLE_COLUMN, arm_marks, styled

Curves = Mapping[str, Mapping[float, ArrayLike]]


@styled
def draw_accuracy_by_epochs(
    unpruned: Mapping[int, ArrayLike],
    accuracy: Mapping[int, Curves],
    margin: float,
    chance: float,
    predicted: Mapping[int, Curves] | None = None,
) -> Figure:
    """Draw accuracy (above) and loss against the unpruned network (below) against dilution.

    One column for every number of epochs. Points are means over seeds with their intervals
    (`intervals.interval`); the points of one dilution are moved apart by a few percent of the density.

    Parameters
    ----------
    unpruned : mapping of epochs to array of shape (S,)
        Test accuracy without a mask, retrained equally long; 0 epochs: as trained.
    accuracy : mapping of epochs to mapping of criterion to mapping of density to array of shape (S,)
        The same numbers of epochs and criteria, in the same order of seeds; 0 epochs: masked and not retrained.
    margin : float
        Largest loss that counts as none, in percentage points: a dotted line.
    chance : float
        Accuracy of always giving the most frequent label: a dotted line.
    predicted : mapping of epochs to mapping of criterion to mapping of density to array of shape (S,), optional
        Losses predicted before retraining, shares: dashed lines of their means in the lower panels.

    Raises
    ------
    InputError
        When there is nothing to draw, or epochs, criteria, densities or seeds differ.
    """
    if not accuracy or set(accuracy) != set(unpruned):
        raise InputError(
            "epochs of retraining", f"those of the unpruned arm, {list(unpruned)}", f"{list(accuracy)}"
        )
    columns = sorted(accuracy)
    names = list(accuracy[columns[0]])
    marks = arm_marks(names)
    figure = Figure(figsize=(DOUBLE_COLUMN, 4.4))
    grid = figure.subplots(2, len(columns), squeeze=False, sharex=True, sharey="row")
    densities, worst = sorted(accuracy[columns[0]][names[0]]), 0.0
    for (above, below), epochs in zip(grid.T, columns, strict=True):
        if list(accuracy[epochs]) != names:
            raise InputError(f"criteria after {epochs} epochs", ", ".join(names), ", ".join(accuracy[epochs]))
        reference = per_seed_accuracy("unpruned", np.reshape(unpruned[epochs], (-1, 1)), 1)
        values = {
            name: checked_curve(name, curve, densities, len(reference))
            for name, curve in accuracy[epochs].items()
        }
        losses = draw_criteria(above, below, reference, values, densities, marks, margin)
        draw_predictions(below, (predicted or {}).get(epochs, {}), marks)
        draw_chance(above, chance)
        if epochs:
            worst = max(worst, *(float(np.nanmax(loss.high, initial=0.0)) for loss in losses))
        above.set_title("not retrained" if epochs == 0 else f"{epochs} epoch{'s' * (epochs > 1)}", fontsize=8)
        density_axis(below, densities, lambda density, _: f"{1 - density:.3g}")
        below.tick_params(axis="x", labelsize=6)
        below.set_xlabel("dilution of the masked layers")
    below.invert_xaxis()  # shared
    above.set_ylim(0, None)
    below.set_ylim(max(1.1 * worst, 2 * margin), -max(0.1 * worst, margin))
    grid[0, 0].legend(fontsize=6, loc="best")
    grid[0, 0].set_ylabel("test accuracy")
    grid[1, 0].set_ylabel(f"loss (points; dotted: {margin:g})")
    dashed = "; dashed: predicted" if any((predicted or {}).values()) else ""
    figure.suptitle(f"line: unpruned, retrained equally long; bars: {losses[-1].meaning}{dashed}", fontsize=8)
    return figure
