"""The pictures of docs/concepts.md: six labels worked out, the mask between two stages, dilution by chance."""

import numpy as np
from command_line import parser, save_figure
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from deeptheory import measure, prune, theory
from deeptheory.reports.plot.styles import (
    BLACK,
    BLUE,
    DOUBLE_COLUMN,
    GREEN,
    ORANGE,
    SINGLE_COLUMN,
    SKY_BLUE,
    VERMILLION,
    styled,
)
from deeptheory.system.scripts import run_script

THRESHOLD = 0.3
FIELD = np.array(
    [
        [2.0, 1.2, 0.1, -0.4, 0.2, -0.6],
        [1.5, 1.8, 0.9, -0.2, 0.0, -0.5],
        [0.3, 1.0, 1.4, 0.1, 0.2, -0.8],
        [0.2, 0.1, 0.2, 0.3, -0.1, 0.0],
        [0.8, 0.2, 0.4, 0.1, 0.5, 0.1],
        [-0.2, -0.4, -0.7, 0.1, 0.0, -0.3],
    ]
)
SERVED_BELOW = np.array(
    [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0]], bool
)
SERVED_ABOVE = np.array(
    [[1, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 0, 1], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1]], bool
)


@styled
def draw_field() -> Figure:
    """The field matrix of one filter, its ones, and their clusters and noise."""
    clipped = measure.clip(FIELD[None], THRESHOLD)[0]
    clusters = measure.find_clusters(clipped)
    kind = np.where(clipped, 3, 0)
    for number, members in enumerate(clusters):
        kind[np.ix_(members, members)] = 1 + number % 2
    figure = Figure(figsize=(DOUBLE_COLUMN, 2.8), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08)
    field, ones, parts = figure.subplots(1, 3)
    largest = np.abs(FIELD).max()
    field.imshow(FIELD, cmap="RdBu_r", vmin=-largest, vmax=largest)
    for (i, j), value in np.ndenumerate(FIELD):
        field.text(
            j, i, f"{value:.1f}", ha="center", va="center", color="white" if abs(value) > 1.3 else BLACK
        )
    field.set_title(r"(a) field $h_f[i,j]$, largest 2.0")
    ones.imshow(clipped, cmap=ListedColormap(["white", BLACK]))
    ones.set_title(rf"(b) ones: above {THRESHOLD} of the largest")
    parts.imshow(kind, cmap=ListedColormap(["white", BLUE, SKY_BLUE, VERMILLION]), vmin=0, vmax=3)
    parts.set_title("(c) clusters and noise")
    names = ["cluster {" + ", ".join(map(str, members)) + "}" for members in clusters]
    handles = [Patch(color=(BLUE, SKY_BLUE)[number % 2], label=name) for number, name in enumerate(names)]
    count = measure.noise(clipped, clusters)
    figure.legend(
        handles=[*handles, Patch(color=VERMILLION, label=f"noise, {count} ones")],
        loc="outside lower right",
        ncols=4,
    )
    for axes in (field, ones, parts):
        _grid(axes, 6, 6)
        axes.set_xlabel("output $j$")
        axes.set_ylabel("input label $i$")
    return figure


@styled
def draw_mask() -> Figure:
    """The labels that the filters of two stages serve, and the connections that share one."""
    scores = prune.kernel_scores(SERVED_BELOW.astype(float), SERVED_ABOVE.astype(float))
    figure = Figure(figsize=(DOUBLE_COLUMN, 2.6), layout="constrained")
    below, above, mask = figure.subplots(1, 3, width_ratios=(6, 6, 4))
    for axes, served, title, filters in (
        (below, SERVED_BELOW, "(a) served below, $D_a$", "filter $a$ of stage $m$"),
        (above, SERVED_ABOVE, "(b) served above, $D_b$", "filter $b$ of stage $m+1$"),
    ):
        axes.imshow(served, cmap=ListedColormap(["white", BLUE]))
        axes.set_title(title)
        axes.set_xlabel("label")
        axes.set_ylabel(filters)
        _grid(axes, *served.shape)
    kept = scores > 0
    mask.imshow(kept, cmap=ListedColormap(["white", BLACK]))
    mask.set_title(f"(c) kept, density {kept.mean():.2f}")
    mask.set_xlabel("filter $a$")
    mask.set_ylabel("filter $b$")
    _grid(mask, *kept.shape)
    return figure


@styled
def draw_chance() -> Figure:
    """The dilution that label sets without structure give, against the number of labels served."""
    figure = Figure(figsize=(SINGLE_COLUMN, 2.5), layout="constrained")
    axes = figure.subplots()
    for n_labels, color, line in (
        (10, ORANGE, "-."),
        (40, GREEN, "--"),
        (100, BLUE, "-"),
        (1000, BLACK, ":"),
    ):
        served = np.arange(1, 31)
        served = served[served <= n_labels]
        axes.plot(
            served,
            theory.random_dilution(n_labels, served, served),
            color=color,
            linestyle=line,
            marker="",
            label=f"$K = {n_labels}$",
        )
    axes.set_xlabel("labels that every filter serves")
    axes.set_ylabel("dilution expected by chance")
    axes.set_xlim(0, 30)
    axes.set_ylim(0, 1.02)
    axes.legend()
    return figure


def _grid(axes: Axes, rows: int, columns: int) -> None:
    axes.set_xticks(range(columns))
    axes.set_yticks(range(rows))
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.8", linewidth=0.5)
    axes.tick_params(which="both", length=0)


def main() -> None:
    """Draw the three pictures."""
    out = parser(__doc__).parse_args().out
    for name, figure in (("field", draw_field()), ("mask", draw_mask()), ("chance", draw_chance())):
        save_figure(figure, out / f"concepts-{name}.png", "")


if __name__ == "__main__":
    run_script(main)
