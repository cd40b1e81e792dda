"""Figure: accuracy of the arms, side by side, before and after retraining."""

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from deeptheory.errors import InputError
from deeptheory.reports.plot.intervals import (
    Interval,
    accuracy_interval,
    draw_chance,
    draw_interval,
    interval,
    per_seed_accuracy,
)
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.scales import accuracy_axis
from deeptheory.reports.plot.styles import (
    BLACK,
    DOUBLE_COLUMN,
    GREY,
    SINGLE_COLUMN,
    Mark,
    arm_marks,
    arm_title,
    styled,
)

ARMS_PER_COLUMN = 6  # more names of arms than these need the width of two columns
BESIDE = 0.15  # of the dots of the single seeds to the right of their arm
LINE = 12  # letters of a name of an arm side by side
Column = NDArray[np.float64]  # (S, 1), one row per seed


@styled
def draw_accuracy_by_arm(
    dilution: Mapping[str, ArrayLike],
    before: Mapping[str, ArrayLike],
    after: Mapping[str, ArrayLike],
    unpruned_before: ArrayLike,
    unpruned_after: ArrayLike,
    n_test: int,
    margin: float,
    chance: float,
) -> Figure:
    """Draw the accuracy of each arm, arms side by side; the axis says the dilution, each arm's where they differ.

    (a) Accuracy right after masking, before retraining (open marks). (b) After retraining (filled), on an
    enlarged scale; the band is the interval of the unpruned arm, retrained equally long. (c) Accuracy after
    retraining minus the unpruned arm of the same seed, in percentage points, with the margin of the
    non-inferiority test: the panel that a verdict rests on, since the intervals of (b) also contain what the
    arms of one seed have in common. Small dots beside a point are the single seeds.

    Parameters
    ----------
    dilution : mapping of arm to array of shape (S,)
        Achieved share of the parameters of the masked layers that was removed; the mean over seeds is written.
    before, after : mapping of arm to array of shape (S,)
        Test accuracy within 0 and 1, in the same order of seeds everywhere.
    unpruned_before, unpruned_after : array of shape (S,)
        The unpruned arm: as trained, and after retraining equally long.
    n_test : int
        Number of test inputs: gives the intervals of (a) and (b) where there is one seed only.
    margin : float
        Margin of the non-inferiority test, in percentage points.
    chance : float
        Accuracy of always giving the most frequent label: a line.

    Raises
    ------
    InputError
        When arms or shapes disagree, or a share is not within 0 and 1.

    Notes
    -----
    An interval that contains zero in (c) does not show that nothing was lost; one that stays above the margin
    does.
    """
    if not dilution:
        raise InputError("arms", "at least one pruned arm", "none")
    for name, accuracies in (("before retraining", before), ("after retraining", after)):
        if set(accuracies) != set(dilution):
            raise InputError(f"arms {name}", ", ".join(dilution), ", ".join(accuracies) or "none")
    trained = _column("unpruned before retraining", unpruned_before)
    retrained = _column("unpruned after retraining", unpruned_after)
    dilutions = {arm: _column(f"dilution of {arm}", dilution[arm]) for arm in dilution}
    arms_before = {arm: _column(f"{arm} before retraining", before[arm]) for arm in dilution}
    arms_after = {arm: _column(f"{arm} after retraining", after[arm]) for arm in dilution}
    for arm in dilution:
        for column in (dilutions[arm], arms_before[arm], arms_after[arm], trained):
            if len(column) != len(retrained):
                raise InputError(f"seeds of {arm}", f"{len(retrained)} as for unpruned", f"{len(column)}")

    width = SINGLE_COLUMN if len(dilution) <= ARMS_PER_COLUMN else DOUBLE_COLUMN
    figure = Figure(figsize=(width, 5.0))
    panels = figure.subplots(3, 1, sharex=True)
    marks = arm_marks(dilutions)
    _name_arms(panels[2], dilutions)
    reference = accuracy_interval(trained, n_test)
    _draw_unpruned(panels[0], reference)
    _draw_unpruned(panels[1], accuracy_interval(retrained, n_test))
    for place, arm in enumerate(dilutions):
        masked, recovered = arms_before[arm], arms_after[arm]
        paired = 100 * (recovered - retrained)
        _draw_arm(panels[0], place, masked, accuracy_interval(masked, n_test), marks[arm], filled=False)
        _draw_arm(panels[1], place, recovered, accuracy_interval(recovered, n_test), marks[arm], filled=True)
        _draw_arm(panels[2], place, paired, interval(paired), marks[arm], filled=True)
    panels[0].set_title("(a) before retraining", loc="left")
    accuracy_axis(panels[0], max(column.max() for column in (trained, *arms_before.values())))
    draw_chance(panels[0], chance)
    panels[1].set_title("(b) after retraining, enlarged scale", loc="left")
    for axes in panels[:2]:
        axes.set_ylabel("test accuracy")
    panels[2].axhline(0, color=BLACK, linewidth=0.6)
    panels[2].axhline(
        -margin, color=BLACK, linewidth=0.8, linestyle=":", label=f"(c) margin, {margin:g} points"
    )
    no_bars = "; no interval" if len(retrained) == 1 else ""
    panels[2].set_title(f"(c) retrained minus unpruned of the same seed{no_bars}", loc="left")
    panels[2].set_ylabel("percentage points")
    for axes in panels[1:]:
        axes.margins(y=0.12)

    handles = [*panels[0].get_legend_handles_labels()[0], *panels[2].get_legend_handles_labels()[0]]
    if len(retrained) > 1:
        handles.append(
            Line2D([], [], color=GREY, marker=".", markersize=3, linestyle="none", label="one seed")
        )
    figure.legend(
        handles=handles, loc="outside upper center", ncols=2, title=reference.meaning, title_fontsize=7
    )
    return figure


def _column(name: str, values: ArrayLike) -> Column:
    return per_seed_accuracy(name, np.reshape(values, (-1, 1)), 1)


def _name_arms(axes: Axes, dilution: dict[str, Column]) -> None:
    shown = [f"{shares.mean():.3f}" for shares in dilution.values()]
    names = [textwrap.fill(arm_title(arm), LINE) for arm in dilution]
    if len(set(shown)) == 1:
        axes.set_xlabel(f"arm (dilution of the masked layers: {shown[0]})")
    else:
        names = [f"{share}\n{name}" for share, name in zip(shown, names, strict=True)]
        axes.set_xlabel("dilution of the masked layers, and arm")
    n_lines = max(name.count("\n") for name in names)
    # Names of unequal numbers of lines would not stand on one line.
    axes.set_xticks(range(len(names)), [name + "\n" * (n_lines - name.count("\n")) for name in names])
    axes.set_xlim(-0.6, len(names) - 0.4)


def _draw_unpruned(axes: Axes, band: Interval) -> None:
    axes.axhspan(band.low[0], band.high[0], color=GREY, alpha=0.35, linewidth=0)
    axes.axhline(band.mean[0], color=BLACK, linewidth=0.8, linestyle="--", label="unpruned, band: interval")


def _draw_arm(axes: Axes, place: int, values: Column, points: Interval, mark: Mark, filled: bool) -> None:
    color, marker = mark
    draw_interval(
        axes,
        [place],
        points,
        color=color,
        marker=marker,
        markerfacecolor=color if filled else "white",
        linestyle="none",
        clip_on=False,
    )
    if len(values) > 1:
        axes.scatter(
            np.full(len(values), place + BESIDE), values.ravel(), s=2, color=color, alpha=0.5, zorder=1
        )
