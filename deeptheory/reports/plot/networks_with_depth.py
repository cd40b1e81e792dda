"""Figure: accuracy and SNR against relative depth, several networks in one frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.reports.plot.intervals import accuracy_interval, draw_interval, interval
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.styles import (
    BLACK,
    BLUE,
    DOUBLE_COLUMN,
    GREEN,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    VERMILLION,
    styled,
)

COLORS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE, BLACK)
LOOKS: dict[str, tuple[Any, str, bool]] = {  # of a kind of filters: line, marker, and whether it is filled
    "filters": ("-", "o", True),
    "heads": ("--", "D", False),
    "nodes": (":", "^", True),
}
TICKS = [m * 10.0**e for e in range(-1, 4) for m in (1, 2, 5)]


@dataclass(frozen=True)
class DepthCurve:
    """Stages of one kind of one network.

    Attributes
    ----------
    network, kind : str
        The kind is "filters", of convolutions or hidden layers, or "heads" or "nodes", of a transformer's blocks.
    depth : (M,) float array
        Position of each stage in the network, a share of all stages.
    accuracy, snr : (S, M) float array
        Of the probe on the test split, and mean field, by seed.
    chance : float
        Accuracy of always giving the most frequent label.
    """

    network: str
    kind: str
    depth: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    snr: NDArray[np.float64]
    chance: float


@styled
def draw_networks_with_depth(curves: Sequence[DepthCurve], threshold: float) -> Figure:
    """Draw probe accuracy (left) and mean-field SNR (right, logarithmic) against relative depth.

    A colour is a network, a line and marker a kind of filters. Points are means over seeds; bars and their meaning
    are those of `intervals.interval`. Dotted: chance of each network on the left, 1 (no structure) on the right.

    Parameters
    ----------
    curves : sequence of DepthCurve
        At most seven networks.
    threshold : float
        At which all fields were clipped.

    Raises
    ------
    InputError
        No curve, or more networks than colours.

    Notes
    -----
    Stages of different networks and kinds differ in their number of filters and of positions, which the SNR does
    not correct for. An infinite SNR (no noise) and an undefined one are left out.
    """
    networks = list(dict.fromkeys(curve.network for curve in curves))
    if not 1 <= len(networks) <= len(COLORS):
        raise InputError("networks", f"1 to {len(COLORS)}", f"{len(networks)}")
    colors = dict(zip(networks, COLORS, strict=False))
    figure = Figure(figsize=(DOUBLE_COLUMN, 3.0))
    left, right = figure.subplots(1, 2)
    meanings = set()
    for curve in curves:
        line, marker, filled = LOOKS[curve.kind]
        look = {
            "color": colors[curve.network],
            "linestyle": line,
            "marker": marker,
            "markerfacecolor": colors[curve.network] if filled else "white",
        }
        points = accuracy_interval(curve.accuracy)
        meanings.add(points.meaning)
        draw_interval(left, curve.depth, points, **look)
        plottable = np.isfinite(curve.snr).all(axis=0)
        draw_interval(right, curve.depth[plottable], interval(curve.snr[:, plottable]), **look)
        left.axhline(
            curve.chance, color=colors[curve.network], linewidth=0.6, linestyle=(0, (1, 3)), zorder=0
        )
    right.axhline(1, color="0.5", linewidth=0.6, linestyle=(0, (1, 3)), zorder=0)
    left.set(ylabel="test accuracy of the probe", ylim=(0, 1), title="(a)")
    right.set(ylabel=rf"SNR, mean field ($\theta = {threshold:g}$)", yscale="log", title="(b)")
    low, high = right.get_ylim()
    ticks = [tick for tick in TICKS if low <= tick <= high]
    if len(ticks) < 3:  # the SNR is nearly the same everywhere
        ticks = list(MaxNLocator(5).tick_values(low, high))
    right.yaxis.set_major_locator(FixedLocator(ticks))
    right.set_ylim(low, high)
    right.yaxis.set_major_formatter("{x:g}")
    right.yaxis.set_minor_formatter(NullFormatter())
    for axes in (left, right):
        axes.set(xlabel="depth, share of the stages", xlim=(0, 1.04))
    kinds = [kind for kind in LOOKS if any(curve.kind == kind for curve in curves)]
    handles = [Line2D([], [], color=colors[network], label=network) for network in networks]
    for kind in kinds:
        line, marker, filled = LOOKS[kind]
        face = BLACK if filled else "white"
        handles.append(
            Line2D([], [], color=BLACK, linestyle=line, marker=marker, markerfacecolor=face, label=kind)
        )
    title = "; ".join([*sorted(meanings), "dotted lines: chance in (a), no structure in (b)"])
    figure.legend(handles=handles, loc="outside lower center", ncols=4, title=title, title_fontsize=7)
    return figure
