"""How the times of the engine grow; the results are those of simulations/engine_growth.py."""

from typing import Any

import numpy as np
from command_line import read_results, results_parser, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from deeptheory.reports.plot.styles import BLUE, DOUBLE_COLUMN, GREY, ORANGE, styled
from deeptheory.system.scripts import run_script

LABELS = {
    "batch": "inputs of a step",
    "width": "width",
    "size": "side of the images (pixels)",
    "labels": "labels",
    "inputs": "inputs measured",
}
POWERS = {"width": 2, "size": 2, "batch": 1, "inputs": 1}  # of the multiply-adds
KINDS = {"step": "training step", "measuring": "measuring all stages"}


@styled
def draw_growth(curves: dict[str, Any]) -> Figure:
    """Draw seconds against what grows, with the slope of the multiply-adds, and steps per second by width.

    Parameters
    ----------
    curves : dict
        By name: "by" says what grows, "values" how; the other entries are seconds, or steps per second in "seeds".
    """
    figure = Figure(figsize=(DOUBLE_COLUMN, 6.4))
    panels = figure.subplots(3, 3).ravel()
    timed = sorted((name for name in curves if name != "seeds"), key=lambda name: not name.startswith("step"))
    for axes, name in zip(panels, timed, strict=False):
        _draw_times(axes, KINDS[name.partition(" ")[0]], curves[name])
    _draw_seeds(panels[len(timed)], curves["seeds"])
    for axes in panels[len(curves) :]:
        axes.set_axis_off()
    panels[-1].legend(*panels[0].get_legend_handles_labels(), loc="upper left")
    for letter, axes in zip("abcdefgh", panels, strict=False):
        axes.set_title(f"({letter}) {axes.get_title()}")
    return figure


def _draw_times(axes: Axes, title: str, curve: dict[str, Any]) -> None:
    values = np.asarray(curve["values"], np.float64)
    lines = [name for name in curve if name.endswith(", s")]
    for name, colour in zip(lines, (ORANGE, BLUE), strict=False):
        axes.plot(values, 1000 * np.asarray(curve[name]), color=colour, marker="o", label=_count(name))
    if power := POWERS.get(curve["by"]):
        last = 1000 * curve[lines[-1]][-1]
        axes.plot(
            values,
            last * (values / values[-1]) ** power,
            color=GREY,
            linestyle="--",
            label="as the multiply-adds",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(values, minor=False)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_title(title)
    axes.set_xlabel(LABELS[curve["by"]])
    axes.set_ylabel("ms")
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, high / 4), high)


def _count(name: str) -> str:
    number = name.partition(" ")[0]
    return f"{number} thread" + "s" * (number != "1")


def _draw_seeds(axes: Axes, curve: dict[str, Any]) -> None:
    values = np.arange(len(curve["values"]))
    one, two = (curve[name] for name in curve if name.endswith("steps/s"))
    for shift, rates, colour, label in (
        (-0.2, one, BLUE, "one network, 2 threads"), (0.2, two, ORANGE, "two networks, 1 thread each"),
    ):  # fmt: skip
        axes.bar(values + shift, np.asarray(rates) / np.asarray(one), 0.4, color=colour, label=label)
    axes.set_xticks(values, [f"{value:g}" for value in curve["values"]])
    axes.set_ylim(0, 2)
    axes.set_title("seeds")
    axes.set_xlabel("width")
    axes.set_ylabel("steps per second (relative)")
    axes.legend(loc="upper right")


def main() -> None:
    """Draw the figure."""
    arguments = results_parser(__doc__).parse_args()
    results = read_results(arguments.results)
    save_figure(draw_growth(results["curves"]), arguments.out, "engine-growth")


if __name__ == "__main__":
    run_script(main)
