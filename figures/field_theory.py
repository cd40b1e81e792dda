"""Accuracies of heads predicted by field theory, against the measured ones and as errors.

The results are those of simulations/field_theory.py, one file and one column of panels per data set.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from command_line import parser, read_results, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from deeptheory.errors import InputError
from deeptheory.reports.plot.intervals import draw_chance, per_seed_accuracy
from deeptheory.reports.plot.styles import (
    BLACK,
    BLUE,
    DOUBLE_COLUMN,
    GREEN,
    GREY,
    ORANGE,
    VERMILLION,
    Mark,
    styled,
)
from deeptheory.system.scripts import run_script

# Title of a kind, the head that is predicted, the head that is measured; as in the study.
KINDS = (
    ("as they stand", "standing", "standing"),
    ("refitted", "refitted", "refitted"),
    ("refit predicted", "surrogate", "refitted"),
)
MARKS: tuple[Mark, ...] = ((ORANGE, "^"), (BLUE, "o"), (VERMILLION, "s"), (GREEN, "D"))
AIM = 1.0  # percentage points: half the height of the band of errors that are small enough


class Heads(NamedTuple):
    """Accuracies of n heads: predicted (n,), measured (n,), and which of the heads have no mask (n,) bool."""

    predicted: ArrayLike
    measured: ArrayLike
    full: ArrayLike


@styled
def draw_head_accuracies(panels: Mapping[str, Mapping[str, Heads]], chance: Mapping[str, float]) -> Figure:
    """Draw predicted against measured accuracy above, predicted - measured below, one column per data set.

    Full heads are filled points, masked ones open. The legends give the mean of |predicted - measured| and
    of predicted - measured (bias; positive when the theory promises too much) in percentage points. The band
    is one point on either side.

    Parameters
    ----------
    panels : mapping of data set to mapping of kind to Heads
        At most four kinds, in the same order in every panel.
    chance : mapping of data set to float
        Accuracy of always giving the most frequent label: a line.

    Raises
    ------
    InputError
        When there is no panel or no head of a kind, there are too many kinds, lengths differ, or a value is not
        an accuracy.

    Notes
    -----
    Heads of one network share its test inputs and its measure split, so their errors are not independent.
    """
    if not panels:
        raise InputError("panels", "at least one", "none")
    figure = Figure(figsize=(DOUBLE_COLUMN, 4.9))
    grid = figure.subplots(2, len(panels), squeeze=False, sharex="col", height_ratios=(1.25, 1))
    for (title, kinds), above, below in zip(panels.items(), *grid, strict=True):
        if not 1 <= len(kinds) <= len(MARKS):
            raise InputError(f"kinds of heads of {title}", f"1 to {len(MARKS)}", str(len(kinds)))
        for (kind, heads), mark in zip(kinds.items(), MARKS, strict=False):
            _draw(above, below, kind, mark, *_checked(f"{kind}, {title}", heads))
        low, high = above.dataLim.intervalx
        above.plot([low, high], [low, high], color=BLACK, linewidth=0.6, zorder=0)
        below.axhspan(-AIM, AIM, color=GREY, alpha=0.3, linewidth=0, zorder=0)
        below.axhline(0, color=BLACK, linewidth=0.6, zorder=0)
        above.margins(y=0.08)
        draw_chance(above, chance[title])
        above.set_title(title)
        above.set_ylabel("predicted accuracy")
        below.set(xlabel="measured accuracy", ylabel="predicted − measured (points)")
        # Predictions are close to the measured accuracies, so the corner above the line is free.
        above.legend(loc="upper left", title="mean absolute error and bias in points", title_fontsize=7)
    points: dict[str, Any] = {"color": BLACK, "marker": "o", "markersize": 3, "linestyle": "none"}
    figure.legend(
        handles=[
            Line2D([], [], label="no mask", **points),
            Line2D([], [], label="masked", fillstyle="none", **points),
            Patch(facecolor=GREY, alpha=0.3, label=f"within {AIM:g} point"),
            Line2D([], [], color=BLACK, linewidth=0.6, label="as measured"),
        ],
        loc="outside upper center",
        ncols=4,
    )
    return figure


def _checked(name: str, heads: Heads) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    n_heads = np.size(heads.predicted)
    if n_heads == 0:
        raise InputError(f"heads {name}", "at least one", "none")
    full = np.asarray(heads.full)
    if full.shape != (n_heads,) or full.dtype != np.bool_:
        raise InputError(
            f"full heads {name}", f"bool of shape ({n_heads},)", f"{full.dtype} of shape {full.shape}"
        )
    return (
        per_seed_accuracy(f"predicted accuracy of heads {name}", heads.predicted, n_heads)[0],
        per_seed_accuracy(f"measured accuracy of heads {name}", heads.measured, n_heads)[0],
        full,
    )


def _draw(
    above: Axes,
    below: Axes,
    kind: str,
    mark: Mark,
    predicted: NDArray[np.float64],
    measured: NDArray[np.float64],
    full: NDArray[np.bool_],
) -> None:
    color, marker = mark
    error = 100 * (predicted - measured)
    label = f"{kind}: {np.abs(error).mean():.2f}, bias {error.mean():+.2f}".replace("-", "−")
    for chosen, face, name in ((~full, "none", label), (full, color, None)):
        look: dict[str, Any] = {"color": color, "marker": marker, "markerfacecolor": face}
        look |= {"linestyle": "none", "markersize": 3, "markeredgewidth": 0.6}
        above.plot(measured[chosen], predicted[chosen], label=name, **look)
        below.plot(measured[chosen], error[chosen], **look)


def main() -> None:
    """Draw the figure."""
    options = parser(__doc__)
    options.add_argument(
        "results", nargs="+", metavar="TITLE=FILE", help="title of a data set and its JSON file"
    )
    arguments = options.parse_args()
    panels, chance = {}, {}
    for given in arguments.results:
        title, _, file = given.rpartition("=")
        results = read_results(Path(file))
        runs, chance[title] = results["runs"], results["chance"]
        heads = [head for run in runs.values() for stage in run.values() for head in stage]
        panels[title] = {
            kind: Heads(
                [head[predicted]["predicted"] for head in heads],
                [head[measured]["measured"] for head in heads],
                [head["criterion"] == "full" for head in heads],
            )
            for kind, predicted, measured in KINDS
        }
    save_figure(draw_head_accuracies(panels, chance), arguments.out, "field-theory")


if __name__ == "__main__":
    run_script(main)
