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
    finish_panels,
    meaning_of,
)
from deeptheory.reports.plot.intervals import per_seed_accuracy
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
    (`intervals.interval`); the points of one dilution are moved apart by a few percent of the density. The lower
    panels hold every loss, on the scale of `scales.SCALE`.

    Parameters
    ----------
    unpruned : mapping of epochs to array of shape (S,)
        Test accuracy without a mask, retrained equally long; 0 epochs: as trained.
    accuracy : mapping of epochs to mapping of criterion to mapping of density to array of shape (S,)
        The same numbers of epochs and criteria, in the same order of seeds; 0 epochs: masked and not retrained.
        The criteria of a column have the same densities, columns may have others.
    margin : float
        Largest loss that counts as none, in percentage points: a dotted line.
    chance : float
        Accuracy of always giving the most frequent label: a line.
    predicted : mapping of epochs to mapping of criterion to mapping of density to array of shape (S,), optional
        Losses predicted before retraining, shares: dashed lines of their means in the lower panels.

    Raises
    ------
    InputError
        When there is nothing to draw, or epochs, criteria, densities within a column or seeds differ.
    """
    if not accuracy or set(accuracy) != set(unpruned):
        raise InputError(
            "epochs of retraining", f"those of the unpruned arm, {list(unpruned)}", f"{list(accuracy)}"
        )
    columns = sorted(accuracy)
    names = list(accuracy[columns[0]])
    marks = arm_marks(names)
    figure = Figure(figsize=(DOUBLE_COLUMN, 4.6))
    grid = figure.subplots(2, len(columns), squeeze=False, sharex=True, sharey="row")
    marked = sorted(
        {density for curves in accuracy.values() for curve in curves.values() for density in curve}
    )
    highest, losses, drawn = 0.0, [], []
    for (above, below), epochs in zip(grid.T, columns, strict=True):
        if list(accuracy[epochs]) != names:
            raise InputError(f"criteria after {epochs} epochs", ", ".join(names), ", ".join(accuracy[epochs]))
        densities = sorted(accuracy[epochs][names[0]])
        reference = per_seed_accuracy("unpruned", np.reshape(unpruned[epochs], (-1, 1)), 1)
        values = {
            name: checked_curve(name, curve, densities, len(reference))
            for name, curve in accuracy[epochs].items()
        }
        losses += draw_criteria(above, below, reference, values, densities, marks, margin)
        drawn += draw_predictions(below, (predicted or {}).get(epochs, {}), marks)
        highest = max(
            highest, reference.max(), *(float(np.nanmax(curve, initial=0)) for curve in values.values())
        )
        above.set_title("not retrained" if epochs == 0 else f"{epochs} epoch{'s' * (epochs > 1)}", fontsize=8)
        density_axis(below, marked, lambda density, _: f"{1 - density:.3g}")
        below.tick_params(axis="x", labelsize=6)
        below.set_xlabel("dilution of the masked layers")
    below.invert_xaxis()  # shared
    finish_panels(grid, highest, losses, drawn, chance, margin)
    title = f"black line: unpruned, retrained equally long; {meaning_of(losses, drawn)}"
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=6, title=title, title_fontsize=8)
    return figure
