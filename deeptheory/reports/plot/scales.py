"""Axes of accuracies and of losses: nothing is cut off, and what the scale is can be read beside it."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike

LINEAR = 1.0  # points on either side of zero within which an axis of losses is linear
DECADES = 0.5  # from zero to there, in lengths of one decade of the logarithmic part
SCALE = f"linear within {LINEAR:g} point, logarithmic beyond"
TICKS = (0, 0.5, 1, 2, 5, 10, 20, 50, 100)  # points, on either side
ROOM = 1.3  # factor between the largest loss and the end of the axis


def loss_limits(values: Iterable[ArrayLike]) -> tuple[float, float]:
    """Limits in points between which all of the losses lie, and those of half a point and of one."""
    everything = np.concatenate([[-0.5, 1.0], *(np.ravel(each) for each in values)])
    return ROOM * float(np.nanmin(everything)), ROOM * float(np.nanmax(everything))


def loss_axis(axes: Axes, which: Literal["x", "y"], limits: tuple[float, float]) -> None:
    """Make one axis of a panel that of losses in points (`SCALE`), of half a point as of fifty.

    An axis whose losses grow downwards is inverted by the caller.
    """
    axis = axes.xaxis if which == "x" else axes.yaxis
    if which == "x":
        axes.set_xscale("symlog", linthresh=LINEAR, linscale=DECADES)
        axes.set_xlim(limits)
    else:
        axes.set_yscale("symlog", linthresh=LINEAR, linscale=DECADES)
        axes.set_ylim(limits)
    ticks = [tick for tick in (*(-tick for tick in TICKS[:0:-1]), *TICKS) if limits[0] <= tick <= limits[1]]
    axis.set_ticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    axis.set_minor_locator(NullLocator())


def accuracy_axis(axes: Axes, highest: float) -> None:
    """Let the axis of accuracies of a panel begin at 0 and end above the highest one, at 1 at most."""
    axes.set_ylim(0, min(1.0, 1.1 * highest))
