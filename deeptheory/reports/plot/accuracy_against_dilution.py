"""Figure: accuracy of the arms against dilution, before and after retraining."""

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from deeptheory.errors import InputError
from deeptheory.reports.plot.intervals import draw_chance, draw_interval, interval, per_seed_accuracy
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.styles import (
    ARM_MARKS,
    DOUBLE_COLUMN,
    GREY,
    SINGLE_COLUMN,
    Mark,
    arm_marks,
    arm_title,
    styled,
)

ARMS_PER_COLUMN = 6  # more names of arms than these need the width of two columns
LINE = 12  # letters of a name of an arm side by side
SPREAD = 0.4  # share of the gap between two dilutions over which the arms of one dilution are spread out


@styled
def draw_accuracy_against_dilution(
    dilution: Mapping[str, ArrayLike],
    before: Mapping[str, ArrayLike],
    after: Mapping[str, ArrayLike],
    unpruned_before: ArrayLike,
    unpruned_after: ArrayLike,
    n_test: int,
    margin: float,
    chance: float,
) -> Figure:
    """Draw the accuracy of each arm against total dilution, arms side by side.

    (a) Accuracy right after masking, before retraining (open marks). (b) After retraining (filled), on an
    enlarged scale; the band is the unpruned arm, retrained equally long. (c) Accuracy after retraining minus
    the unpruned arm of the same seed, in percentage points, with the margin of the non-inferiority test: the
    panel that a verdict rests on, since the intervals of (b) also contain what the arms of one seed have in
    common.

    With a single dilution the axis names the arms and says the dilution (each arm's, where they differ). With
    several, the arms of one dilution are moved apart horizontally, by at most what the label of the axis
    says. Small dots are the single seeds.

    Parameters
    ----------
    dilution : mapping of arm to array of shape (S, D) or (D,)
        Achieved share of the parameters of the masked layers that was removed, one row per seed (drawn at its
        mean over seeds).
    before, after : mapping of arm to array of shape (S, D) or (D,)
        Test accuracy within 0 and 1, rows in the same order of seeds everywhere.
    unpruned_before, unpruned_after : array of shape (S,)
        The unpruned arm: as trained, and after retraining equally long.
    n_test : int
        Number of test inputs: gives the intervals of (a) and (b) where there is one seed only.
    margin : float
        Margin of the non-inferiority test, in percentage points.
    chance : float
        Accuracy of always giving the most frequent label: a dotted line.

    Raises
    ------
    InputError
        When arms or shapes disagree, a share is not within 0 and 1, or a dilution comes twice.

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
    n_dilutions = np.atleast_2d(np.asarray(next(iter(dilution.values())))).shape[1]
    trained = per_seed_accuracy("unpruned before retraining", np.reshape(unpruned_before, (-1, 1)), 1)
    retrained = per_seed_accuracy("unpruned after retraining", np.reshape(unpruned_after, (-1, 1)), 1)
    dilutions: dict[str, NDArray[np.float64]] = {}
    arms_before: dict[str, NDArray[np.float64]] = {}
    arms_after: dict[str, NDArray[np.float64]] = {}
    for arm in dilution:
        dilutions[arm] = per_seed_accuracy(f"dilution of {arm}", dilution[arm], n_dilutions)
        arms_before[arm] = per_seed_accuracy(f"{arm} before retraining", before[arm], n_dilutions)
        arms_after[arm] = per_seed_accuracy(f"{arm} after retraining", after[arm], n_dilutions)
        for array in (dilutions[arm], arms_before[arm], arms_after[arm], trained):
            if len(array) != len(retrained):
                raise InputError(f"seeds of {arm}", f"{len(retrained)} as for unpruned", f"{len(array)}")

    width = SINGLE_COLUMN if len(dilution) <= ARMS_PER_COLUMN else DOUBLE_COLUMN
    figure = Figure(figsize=(width, 5.0))
    panels = figure.subplots(3, 1, sharex=True)
    marks = arm_marks(dilutions)
    positions = _place_arms(panels[2], dilutions)
    meaning = _draw_panel(panels[0], positions, arms_before, trained, marks, n_test, filled=False)
    _draw_panel(panels[1], positions, arms_after, retrained, marks, n_test, filled=True)
    panels[0].set_title(f"(a) before retraining; bars: {meaning}", loc="left")
    draw_chance(panels[0], chance)
    panels[0].set_ylim(bottom=-0.04)  # room for the mark of an arm at chance level
    panels[1].set_title("(b) after retraining, enlarged scale", loc="left")
    for axes in panels[:2]:
        axes.set_ylabel("test accuracy")
    differences = {arm: 100 * (accuracies - retrained) for arm, accuracies in arms_after.items()}
    _draw_arms(panels[2], positions, differences, marks, None, filled=True)
    panels[2].axhline(0, color=ARM_MARKS["unpruned"][0], linewidth=0.6)
    line = panels[2].axhline(-margin, color=ARM_MARKS["unpruned"][0], linewidth=0.8, linestyle=":")
    no_bars = "; no interval" if len(retrained) == 1 else ""
    panels[2].set_title(f"(c) retrained minus unpruned of the same seed{no_bars}", loc="left")
    panels[2].set_ylabel("percentage points")

    handles, names = panels[0].get_legend_handles_labels()
    if n_dilutions == 1:  # the axis names the arms
        handles, names = handles[:1], names[:1]
    handles.insert(1, line)
    names.insert(1, f"margin of {margin:g} points in (c)")
    figure.legend(handles, names, loc="outside upper center", ncols=2)
    return figure


def _place_arms(axes: Axes, dilution: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Horizontal positions `(D,)` of each arm; labels the axis accordingly."""
    means = {arm: shares.mean(axis=0) for arm, shares in dilution.items()}
    n_arms = len(means)
    if next(iter(means.values())).size == 1:
        shown = [f"{mean[0]:.3f}" for mean in means.values()]
        names = [textwrap.fill(arm_title(arm), LINE) for arm in means]
        if len(set(shown)) == 1:
            axes.set_xlabel(f"arm (total dilution of the masked layers: {shown[0]})")
        else:
            names = [f"{share}\n{name}" for share, name in zip(shown, names, strict=True)]
            axes.set_xlabel("total dilution of the masked layers, and arm")
        n_lines = max(name.count("\n") for name in names)
        # Names of unequal numbers of lines would not stand on one line.
        axes.set_xticks(range(n_arms), [name + "\n" * (n_lines - name.count("\n")) for name in names])
        axes.set_xlim(-0.6, n_arms - 0.4)
        return {arm: np.array([float(index)]) for index, arm in enumerate(means)}
    centres = np.sort(np.mean(list(means.values()), axis=0))
    gaps = np.diff(centres)
    if gaps.min() == 0:
        raise InputError("dilution", "mean dilutions that differ", f"{centres[gaps.argmin()]:g} twice")
    half = SPREAD / 2 * gaps.min()
    axes.set_xlabel(rf"total dilution of masked layers (arms offset $\leq {half:.2g}$)")
    moves = np.linspace(-half, half, n_arms) if n_arms > 1 else np.zeros(1)
    return {arm: mean + move for (arm, mean), move in zip(means.items(), moves, strict=True)}


def _draw_panel(
    axes: Axes,
    positions: dict[str, NDArray[np.float64]],
    accuracies: dict[str, NDArray[np.float64]],
    unpruned: NDArray[np.float64],
    marks: dict[str, Mark],
    n_test: int,
    filled: bool,
) -> str:
    """Draw one panel of accuracies with the unpruned arm as a band; returns the meaning of the bars."""
    band = interval(unpruned, n_test)
    axes.axhspan(band.low[0], band.high[0], color=GREY, alpha=0.35, linewidth=0)
    axes.axhline(
        band.mean[0], color=ARM_MARKS["unpruned"][0], linewidth=0.8, linestyle="--", label="unpruned (band)"
    )
    _draw_arms(axes, positions, accuracies, marks, n_test, filled)
    return band.meaning


def _draw_arms(
    axes: Axes,
    positions: dict[str, NDArray[np.float64]],
    values: dict[str, NDArray[np.float64]],
    marks: dict[str, Mark],
    n_test: int | None,
    filled: bool,
) -> None:
    for arm, of_arm in values.items():
        color, marker = marks[arm]
        x = positions[arm]
        draw_interval(
            axes,
            x,
            interval(of_arm, n_test),
            color=color,
            marker=marker,
            markerfacecolor=color if filled else "white",
            linestyle="-" if x.size > 1 else "none",
            linewidth=0.6,
            label=arm_title(arm),
        )
        if len(of_arm) > 1:
            axes.scatter(np.tile(x, len(of_arm)), of_arm.ravel(), s=2, color=color, alpha=0.5, zorder=1)
