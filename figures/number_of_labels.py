"""Error against the number of labels asked for, measured and predicted.

The results are those of simulations/number_of_labels.py, one file and one column of panels per data set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from command_line import parser, read_results, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator, StrMethodFormatter
from numpy.typing import ArrayLike, NDArray

from deeptheory.errors import InputError
from deeptheory.reports.plot.intervals import (
    Interval,
    draw_interval,
    interval,
    per_seed,
    per_seed_accuracy,
)
from deeptheory.reports.plot.scales import SCALE, loss_axis, loss_limits
from deeptheory.reports.plot.styles import (
    BLACK,
    BLUE,
    DOUBLE_COLUMN,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    VERMILLION,
    Mark,
    styled,
)
from deeptheory.system.scripts import run_script

SMALLEST = 1e-5  # error that a logarithmic axis begins with, where none is measured
MARKS: tuple[Mark, ...] = (
    (BLUE, "s"),
    (SKY_BLUE, "^"),
    (GREEN, "v"),
    (ORANGE, "P"),
    (VERMILLION, "D"),
    (PURPLE, "X"),
    (GREY, "*"),
    (BLACK, "d"),
)


@dataclass(frozen=True)
class LabelCurves:
    """One data set.

    Attributes
    ----------
    sizes : sequence of M int
        Numbers of labels asked for, from 2 upwards.
    measured : array of shape (S, M) or (M,)
        Accuracy on the test split, one row per seed.
    scatter : array of shape (S, M) or (M,)
        Standard deviation of the accuracy between subsets of the labels.
    excess : mapping of law to array of shape (S, M) or (M,)
        Predicted minus measured accuracy, as shares. At most 8 laws.
    """

    sizes: Sequence[int]
    measured: ArrayLike
    scatter: ArrayLike
    excess: Mapping[str, ArrayLike]


@styled
def draw_number_of_labels(data_sets: Mapping[str, LabelCurves]) -> Figure:
    """Draw error against k - 1 (above, logarithmic) and predicted minus measured accuracy (below).

    Points are means over seeds, bars those of `intervals.interval`; the band is one standard deviation between
    subsets. On the logarithmic axes the linear law has slope 1; laws below half of the smallest measured error
    leave the upper panels. The lower panels hold every difference, on the scale of `scales.SCALE`.

    Parameters
    ----------
    data_sets : mapping of title to LabelCurves
        One column each.

    Raises
    ------
    InputError
        When there is no data set, shapes disagree, or a measured accuracy is not within 0 and 1.
    """
    if not data_sets:
        raise InputError("data sets", "at least one", "none")
    figure = Figure(figsize=(DOUBLE_COLUMN, 4.6))
    above, below = figure.subplots(2, len(data_sets), sharex="col", sharey="row", squeeze=False)
    drawn: list[Interval] = []
    lowest = 1.0
    for column, (title, data) in enumerate(data_sets.items()):
        sizes = np.asarray(data.sizes)
        measured = per_seed_accuracy(f"accuracy of {title}", data.measured, len(sizes))
        excess = {
            law: per_seed(f"{law} of {title}", values, len(sizes)) for law, values in data.excess.items()
        }
        scatter = per_seed(f"scatter of {title}", data.scatter, len(sizes)).mean(axis=0)
        _draw_errors(above[column], sizes, measured, scatter, excess)
        drawn += _draw_excess(below[column], sizes, excess)
        above[column].set_title(f"{title}\n{interval(measured).meaning}")
        below[column].set_xlabel("labels asked for, $k$ (axis: $k - 1$)")
        lowest = min(lowest, 1 - float(measured.mean(axis=0).max()))
    above[0].set_ylim(max(lowest, SMALLEST) / 2, 1)
    loss_axis(below[0], "y", loss_limits(end for points in drawn for end in (points.low, points.high)))
    above[0].set_ylabel("test error")
    below[0].set_ylabel(f"predicted $-$ measured accuracy\nin points, {SCALE}", fontsize=7)
    figure.legend(*above[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure


def _draw_errors(
    axes: Axes,
    sizes: NDArray[np.int_],
    measured: NDArray[np.float64],
    scatter: NDArray[np.float64],
    excess: Mapping[str, NDArray[np.float64]],
) -> None:
    error = 1 - measured.mean(axis=0)
    for (law, values), (color, _) in zip(excess.items(), MARKS, strict=False):
        predicted = error - values.mean(axis=0)
        axes.plot(sizes - 1, np.where(predicted > 0, predicted, np.nan), color=color, label=law)
    look = {"color": BLACK, "marker": "o", "markerfacecolor": "none", "linestyle": "none"}
    draw_interval(axes, sizes - 1, interval(1 - measured), label="measured", **look)
    axes.fill_between(
        sizes - 1,
        np.maximum(error - scatter, error / 10),  # a logarithmic axis has no 0
        error + scatter,
        color=GREY,
        alpha=0.25,
        linewidth=0,
        label="between subsets",
    )
    axes.plot(sizes - 1, 1 - 1 / sizes, color="0.5", linewidth=0.8, linestyle="-.", label="chance")
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(sizes - 1, [str(size) for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_excess(
    axes: Axes, sizes: NDArray[np.int_], excess: Mapping[str, NDArray[np.float64]]
) -> list[Interval]:
    drawn = []
    axes.axhline(0, color=BLACK, linewidth=0.6)
    for (_, values), (color, marker) in zip(excess.items(), MARKS, strict=False):
        look = {"color": color, "marker": marker, "markersize": 3}
        drawn.append(interval(100 * values))
        draw_interval(axes, sizes - 1, drawn[-1], **look)
    return drawn


def curves(path: Path) -> LabelCurves:
    """The runs of one file."""
    runs = list(read_results(path)["runs"].values())
    excess = {}
    for law in runs[0]["predicted"]:
        beside = "measured_on_drawn" if law == "mixture" else "measured"
        excess[law] = [np.subtract(run["predicted"][law], run[beside]) for run in runs]
    last = [list(run["stages"].values())[-1] for run in runs]
    excess["law, test pairs"] = [np.subtract(stage["law itself"], stage["measured"]) for stage in last]
    measured, scatter = ([run[name] for run in runs] for name in ("measured", "scatter"))
    return LabelCurves(runs[0]["sizes"], measured, scatter, excess)


def main() -> None:
    """Draw the figure."""
    options = parser(__doc__)
    options.add_argument("results", nargs="+", type=Path, help="JSON files of the study, one per data set")
    options.add_argument("--titles", nargs="+", required=True, help="one per file")
    arguments = options.parse_args()
    titled = zip(arguments.titles, arguments.results, strict=True)
    data_sets = {title: curves(path) for title, path in titled}
    save_figure(draw_number_of_labels(data_sets), arguments.out, "number-of-labels")


if __name__ == "__main__":
    run_script(main)
