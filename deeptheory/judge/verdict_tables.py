"""Verdicts and arms as tables."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from deeptheory.judge.arm_results import ArmResults
from deeptheory.judge.statistics import paired_interval
from deeptheory.judge.verdict import Verdict
from deeptheory.store.paths import UNPRUNED
from deeptheory.tables import Table


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """The verdicts as a table, with the reasons and the command below it.

    Parameters
    ----------
    verdicts : sequence of Verdict

    Returns
    -------
    Table
        Effects and intervals in percentage points; a missing number is shown as ``-``.
    """
    header = ("", "claim", "effect", "interval", "at", "p", "p Holm", "seeds", "verdict")
    rows = [
        (
            str(number),
            verdict.claim,
            _number(verdict.effect, "+.2f"),
            f"[{verdict.low:+.2f}, {verdict.high:+.2f}]" if math.isfinite(verdict.low) else "-",
            _number(verdict.interval_level, ".0%"),
            p_text(verdict.p),
            p_text(verdict.p_holm),
            str(verdict.n_seeds),
            verdict.status,
        )
        for number, verdict in enumerate(verdicts, start=1)
    ]
    title = (
        "Effect and interval (at the level beside it) in percentage points, uncorrected; verdict by p Holm."
    )
    reasons: dict[str, list[str]] = {}
    for number, verdict in enumerate(verdicts, start=1):
        reasons.setdefault(f"{verdict.status}: {verdict.reason}", []).append(str(number))
    notes = [f"{', '.join(numbers)} {reason}" for reason, numbers in reasons.items()]
    notes += [f"repeat with: {command}" for command in dict.fromkeys(verdict.command for verdict in verdicts)]
    return Table(title, header, rows, left=(1, 8), notes=notes)


def arm_tables(
    results: ArmResults,
    parameters_left: Mapping[str, Sequence[float] | np.ndarray],
    multiply_adds_left: Mapping[str, Sequence[float] | np.ndarray],
    level: float = 0.95,
) -> list[Table]:
    """Accuracy and cost of every arm, and the dilution of every masked layer.

    Parameters
    ----------
    results : ArmResults
    parameters_left, multiply_adds_left : mapping of str to (n_seeds,) float array
        Arm to the share left of the unpruned network.
    level : float
        Coverage of the t intervals over seeds.

    Returns
    -------
    list of Table
        All numbers in percent, as the mean over seeds; after +- half the width of its interval, which is over
        seeds of one arm and therefore wider than that of a paired difference.
    """
    header = ("arm", "before", "after retraining", "predicted", "parameters left", "multiply-adds left")
    rows = [
        (
            arm,
            _number(100 * results.accuracy_before[arm].mean(), ".2f"),
            with_interval(100 * results.accuracy_after[arm], level),
            _prediction(results, arm),
            _number(100 * float(np.mean(parameters_left[arm])), ".1f"),
            _number(100 * float(np.mean(multiply_adds_left[arm])), ".1f"),
        )
        for arm in results.arms
    ]
    seeds = "1 seed" if results.n_seeds == 1 else f"{results.n_seeds} seeds"
    title = f"Accuracy and shares left in percent, mean over {seeds} (+- {level:.0%} interval)."
    tables = [Table(title, header, rows)]
    layers = [
        (layer, _number(100 * dilution.mean(), ".1f"), _null(results, layer))
        for layer, dilution in results.dilution.items()
    ]
    if layers:
        title = f"Dilution in percent, the same in every arm but '{UNPRUNED}'."
        tables.append(Table(title, ("layer", "dilution", "expected without structure"), layers))
    return tables


def with_interval(values: Sequence[float] | np.ndarray, level: float, style: str = ".2f") -> str:
    """Mean over seeds, and after +- half the width of its t interval where there are several.

    Parameters
    ----------
    values : (n_seeds,) float array
    level : float
        Coverage of the interval (`paired_interval`).
    style : str
        Format of both numbers.

    Returns
    -------
    str
        ``-`` where a value is missing or not finite.
    """
    if not np.isfinite(values).all():
        return "-"
    mean, low, high = paired_interval(values, level)
    return format(mean, style) + ("" if math.isnan(low) else f" +- {format((high - low) / 2, style)}")


def _prediction(results: ArmResults, arm: str) -> str:
    predicted = results.predicted.get(arm)
    return "-" if predicted is None else _number(100 * predicted.mean(), ".2f")


def _null(results: ArmResults, layer: str) -> str:
    null = results.null_dilution.get(layer)
    return "-" if null is None else _number(100 * null.mean(), ".1f")


def _number(value: float, style: str) -> str:
    return "-" if math.isnan(value) else format(value, style)


def p_text(value: float) -> str:
    """A p-value as it is printed; ``-`` where there is none."""
    return "<0.001" if value < 0.001 else _number(value, ".3f")
