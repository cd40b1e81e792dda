"""Accuracy of a network with one layer truncated, against the rank, with the edge of the noise.

The results are those of simulations/rank_truncation.py.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from command_line import read_results, results_parser, save_figure
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from deeptheory.errors import InputError
from deeptheory.reports.plot.intervals import draw_chance, per_seed_accuracy
from deeptheory.reports.plot.styles import BLUE, DOUBLE_COLUMN, GREY, ORANGE, VERMILLION, stage_title, styled
from deeptheory.system.scripts import run_script

MARGIN = 0.5  # percentage points, as in the study
COLUMNS = 4


@dataclass(frozen=True)
class Truncation:
    """One layer: what was tried and what was predicted.

    Attributes
    ----------
    ranks : array of shape (R,)
        Numbers of largest components kept.
    accuracy : array of shape (R,)
        Test accuracy at each.
    control_ranks : array of shape (T,)
        Numbers of random components kept.
    control_accuracy : array of shape (T, D)
        Test accuracy of each of D draws.
    predicted_rank : int
        Number of components above the edge.
    n_components : int
        All of them.
    """

    ranks: ArrayLike
    accuracy: ArrayLike
    control_ranks: ArrayLike
    control_accuracy: ArrayLike
    predicted_rank: int
    n_components: int


@styled
def draw_rank_truncation(
    layers: Mapping[str, Truncation], untouched: float, margin: float, chance: float
) -> Figure:
    """Draw test accuracy against the share of singular components kept, one panel per layer.

    The others are untouched and nothing is retrained. The vertical line is the rank that the edge of the
    noise predicts; the band is the accuracy of the whole network less the margin. Were the edge the place
    where accuracy begins to fall, the curve would leave the band there.

    Parameters
    ----------
    layers : mapping of name to Truncation
        In the order of the network; `stage3` is titled by its number.
    untouched : float
        Test accuracy of the whole network.
    margin : float
        Width of the band in percentage points.
    chance : float
        Accuracy of always giving the most frequent label: a line.

    Raises
    ------
    InputError
        When there is no layer or an accuracy is not within 0 and 1.
    """
    if not layers:
        raise InputError("truncated layers", "at least one", "none")
    rows = math.ceil(len(layers) / COLUMNS)
    figure = Figure(figsize=(DOUBLE_COLUMN, 0.6 + 1.35 * rows))
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (name, layer) in zip(panels, layers.items(), strict=False):
        ranks, tried = np.asarray(layer.ranks), np.asarray(layer.control_ranks)
        accuracy = per_seed_accuracy(f"accuracy of {name}", layer.accuracy, len(ranks))[0]
        control = per_seed_accuracy(f"control of {name}", np.transpose(layer.control_accuracy), len(tried))
        band = f"untouched, less {margin:g} points"
        axes.axhspan(untouched - margin / 100, untouched, color=GREY, alpha=0.5, linewidth=0, label=band)
        predicted = "predicted rank (title: of all)"
        axes.axvline(layer.predicted_rank / layer.n_components, color=VERMILLION, label=predicted)
        axes.plot(
            ranks / layer.n_components, accuracy, color=BLUE, marker="o", markersize=2.5, label="largest"
        )
        # Single draws, and their mean as a line.
        share = tried / layer.n_components
        axes.plot(share, control.mean(axis=0), color=ORANGE, marker="", linestyle=":")
        axes.plot(
            np.tile(share, len(control)),
            control.ravel(),
            color=ORANGE,
            marker="x",
            markersize=3,
            linestyle="none",
            label="random, single draws",
        )
        title = stage_title(name)
        title = f"stage {title}" if title != name else name
        axes.set_title(f"{title}: {layer.predicted_rank} of {layer.n_components}")
    for axes in panels[len(layers) :]:
        axes.remove()
    # With axes shared, the last panel of a column names the shares even where the row below is not full.
    for axes in panels[max(len(layers) - COLUMNS, 0) : len(layers)]:
        axes.tick_params(labelbottom=True)
    panels[0].set(xlim=(-0.03, 1.03), ylim=(0, 1))
    panels[0].set_xticks((0, 0.5, 1))
    for axes in panels[: len(layers)]:
        draw_chance(axes, chance)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    figure.supxlabel("share of singular components kept", fontsize=8)
    figure.supylabel("test accuracy", fontsize=8)
    return figure


def main() -> None:
    """Draw the figure."""
    arguments = results_parser(__doc__).parse_args()
    results = read_results(arguments.results)
    layers = {
        name.split(".")[0]: Truncation(
            layer["ranks"],
            layer["accuracy"],
            [int(rank) for rank in layer["control"]],
            list(layer["control"].values()),
            layer["bulk"]["signal_rank"],
            min(layer["shape"]),
        )
        for name, layer in results["layers"].items()
    }
    save_figure(
        draw_rank_truncation(layers, results["accuracy"], MARGIN, results["chance"]),
        arguments.out,
        "rank-truncation",
    )


if __name__ == "__main__":
    run_script(main)
