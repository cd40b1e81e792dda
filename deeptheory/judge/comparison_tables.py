"""A comparison of criteria as tables."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.arm_results import POINTS
from deeptheory.judge.comparison import (
    Comparison,
    density_at_margin,
    paired_differences,
    smallest_density_without_loss,
)
from deeptheory.judge.decision import changed_rules
from deeptheory.judge.options import JudgeOptions
from deeptheory.judge.statistics import PairedTest
from deeptheory.judge.verdict_tables import with_interval
from deeptheory.tables import Table

Losses = Mapping[float, NDArray[np.float64]]  # of every seed, by density


def comparison_tables(
    comparison: Comparison, ours: tuple[str, ...], options: JudgeOptions, exploratory: Sequence[str] = ()
) -> list[Table]:
    """Losses of every criterion, its smallest density without loss, and the paired differences.

    Parameters
    ----------
    comparison : Comparison
    ours : tuple of str
        Criteria to be compared with all others; those that are not there are left out.
    options : JudgeOptions
    exploratory : sequence of str
        Why the tests of these runs confirm nothing, if so (`judge.Case`); changed rules do so as well.
    """
    parts = [_losses(comparison, options), _without_loss(comparison, options)]
    if comparison.predicted:
        parts += [_knees(comparison, options), _losses_predicted(comparison)]
    parts += [_differences(comparison, name, options) for name in ours if name in comparison.accuracy]
    notes = [f"exploratory, no confirmation: {text}" for text in (*changed_rules(options), *exploratory)]
    return [dataclasses.replace(part, notes=[*part.notes, *notes]) for part in parts]


def _losses(comparison: Comparison, options: JudgeOptions) -> Table:
    n_seeds = len(comparison.unpruned)
    mean = 100 * float(np.mean(comparison.unpruned))
    title = (
        f"unpruned {mean:.2f} %, {n_seeds} seeds; loss in percentage points against it, paired by seed, "
        f"+- half the {options.level:.0%} interval"
    )
    rows = [
        (
            criterion,
            *(with_interval(comparison.loss(criterion, d), options.level) for d in comparison.densities),
        )
        for criterion in comparison.accuracy
    ]
    return Table(title, ("criterion", *_heads(comparison)), rows)


def _without_loss(comparison: Comparison, options: JudgeOptions) -> Table:
    title = (
        f"smallest density compared with a loss of at most {options.margin:g} points: by the mean, and not "
        f"inferior at {options.level:.0%} (from {options.minimum_seeds} seeds on)"
    )
    rows = []
    for criterion in comparison.accuracy:
        found = smallest_density_without_loss(comparison, criterion, options)
        rows.append((criterion, *("-" if density is None else f"{density:g}" for density in found)))
    return Table(title, ("criterion", "by the mean", "by the test"), rows)


def _knees(comparison: Comparison, options: JudgeOptions) -> Table:
    title = (
        f"density below which more than {options.margin:g} points are lost, predicted before it is measured"
    )
    rows = []
    for criterion in comparison.predicted:
        losses = [
            {density: float(np.mean(values)) for density, values in of_one.items()}
            for of_one in (*_predicted(comparison, criterion), _measured(comparison, criterion))
        ]
        knee, latest, earliest, measured = (
            _between(*density_at_margin(of_one, options.margin)) for of_one in losses
        )
        rows.append((criterion, knee, f"{latest} to {earliest}", measured))
    notes = [
        "95%: by the lower and by the upper ends of the intervals of the predicted losses",
        "above: more is lost at the largest density already; below: at none of those compared",
    ]
    return Table(title, ("criterion", "predicted", "95%", "measured"), rows, notes=notes)


def _losses_predicted(comparison: Comparison) -> Table:
    rows = []
    for criterion in comparison.predicted:
        losses, low, high = _predicted(comparison, criterion)
        found = _measured(comparison, criterion)
        cells = (
            f"{np.mean(losses[d]):.2f} [{np.mean(low[d]):.2f}, {np.mean(high[d]):.2f}] | {np.mean(found[d]):.2f}"
            for d in comparison.densities
        )
        rows.append((criterion, *cells))
    title = "losses in points at each density: predicted before retraining [95% interval] | measured"
    return Table(title, ("criterion", *_heads(comparison)), rows)


def _predicted(comparison: Comparison, criterion: str) -> list[Losses]:
    """The predicted losses, and the lower and upper ends of their intervals, in points."""
    return [
        {density: POINTS * values for density, values in of_all[criterion].items()}
        for of_all in (comparison.predicted, comparison.low, comparison.high)
    ]


def _measured(comparison: Comparison, criterion: str) -> Losses:
    return {density: comparison.loss(criterion, density) for density in comparison.densities}


def _between(below: float, at: float) -> str:
    if np.isnan(at):
        return "-"
    if below == at:
        return f"{at:.3g}"
    return f"above {below:g}" if np.isinf(at) else f"below {at:g}"


def _differences(comparison: Comparison, ours: str, options: JudgeOptions) -> Table:
    rivals = [criterion for criterion in comparison.accuracy if criterion != ours]
    found = paired_differences(comparison, ours, rivals, options.level)
    title = (
        f"{ours} minus the others in percentage points, paired by seed, [{options.level:.0%} interval]; "
        "* p < 0.05 after Holm over the table"
    )
    rows = [
        (rival, *(_difference(found.get((rival, density)), options) for density in comparison.densities))
        for rival in rivals
    ]
    return Table(title, (ours, *_heads(comparison)), rows)


def _heads(comparison: Comparison) -> list[str]:
    return [f"{density:g}" for density in comparison.densities]


def _difference(found: tuple[PairedTest, float] | None, options: JudgeOptions) -> str:
    if found is None:
        return "-"
    test, p = found
    few = test.n_seeds < options.minimum_seeds
    interval = "" if few else f" [{test.low:+.2f}, {test.high:+.2f}]"
    return f"{test.effect:+.2f}{interval}{'*' if p < 1 - options.level and not few else ''}"
