"""Verdicts and arms as tables: one style for all commands."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deeptheory.errors import Unsuited
from deeptheory.judge.arm_results import ArmResults
from deeptheory.judge.decision import FIXED, Judged, Part
from deeptheory.judge.statistics import NORMALITY, paired_interval
from deeptheory.store.paths import UNPRUNED
from deeptheory.tables import Table

MISSED = 0.05  # probability of a collapse that no seed shows


def verdict_table(judged: Sequence[Judged]) -> Table:
    """The verdicts on hypotheses that were judged together, one line a part, with the reasons below.

    Parameters
    ----------
    judged : sequence of Judged

    Returns
    -------
    Table
        The unit of effect, interval and worst seed stands behind the effect; a missing number is shown as ``-``.
        Below the least number of seeds there is neither interval nor p, but the number of every seed.
    """
    header = (
        "",
        "claim",
        "verdict",
        "of",
        "true if",
        "effect",
        "unit",
        "interval",
        "worst seed",
        "p",
        "p Holm",
    )
    rows = [_row(one, part) for one in judged for part in one.parts]
    seeds = sorted({len(part.values) for one in judged for part in one.parts if len(part.values)})
    title = (
        f"Verdicts over {' or '.join(map(str, seeds)) or 'no'} seed(s). Effect: mean over seeds; interval of the "
        "test, not corrected;\nverdict by p Holm, over all claims judged together."
    )
    return Table(title, header, rows, left=(0, 1, 2, 3, 4, 6), notes=_notes(judged, seeds))


def _row(one: Judged, part: Part) -> tuple[str, ...]:
    hypothesis, test = one.hypothesis, part.test
    known = len(part.values) > 0 and bool(np.isfinite(part.values).all())
    worst = f"{part.values[part.worst]:+.3g} ({one.seeds[part.worst]})" if part.worst >= 0 else "-"
    alone = len(one.parts) == 1 or part.status == one.status
    verdict = one.verdict if alone else f"{one.verdict} (part: {part.status})"
    return (
        f"H{hypothesis.number}",
        hypothesis.label,
        verdict,
        "" if part.name == hypothesis.label else part.name,
        true_if(part),
        f"{part.values.mean():+.3g}" if known else "-",
        hypothesis.unit,
        f"[{test.low:+.3g}, {test.high:+.3g}] {test.interval_level:.0%}" if test else "-",
        worst,
        p_text(part.p),
        p_text(one.p_holm),
    )


def true_if(part: Part) -> str:
    """Where a part of a claim is true: "> -0.5", or "-1 to 1"."""
    bounds = part.rule.bounds
    return f"> {bounds[0]:g}" if len(bounds) == 1 else f"{bounds[0]:g} to {bounds[1]:g}"


def _notes(judged: Sequence[Judged], seeds: Sequence[int]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for one in judged:
        for part in one.parts:
            where = f"H{one.hypothesis.number}" + (f" {part.name}" if len(one.parts) > 1 else "")
            reasons.setdefault(_reason(one, part), []).append(where)
    notes = [f"{', '.join(where)} {reason}" for reason, where in reasons.items()]
    notes += [
        _every_seed(one, part) for one in judged for part in one.parts if not part.test and part.worst >= 0
    ]
    notes += [
        f"H{one.hypothesis.number} {part.name}: {_not_normal(len(part.values))}"
        for one in judged
        for part in one.parts
        if part.test and part.test.visibly_not_normal
    ]
    if seeds:
        share = 1 - MISSED ** (1 / seeds[0])
        notes.append(
            f"rare collapses: with {seeds[0]} seed(s) none may show although up to {share:.0%} of networks "
            f"collapse (probability {MISSED:.0%})"
        )
    notes += [*_places(judged), *_passed_over(judged)]
    if texts := exploratory_texts(judged):
        notes.append(f"exploratory, no confirmation: {', '.join(texts)}")
    notes += [f"repeat with: {command}" for command in dict.fromkeys(one.command for one in judged)]
    if any(one.status == "undecided" for one in judged):
        notes.append("which gives the same again; what the undecided claims need stands above")
    return notes


def exploratory_texts(judged: Sequence[Judged]) -> list[str]:
    """Why verdicts are exploratory, each reason once; with the hypotheses where it is not all of them."""
    concerned: dict[str, list[str]] = {}
    for one in judged:
        for text in one.exploratory:
            concerned.setdefault(text, []).append(f"H{one.hypothesis.number}")
    return [
        text if len(which) == len(judged) else f"{text} ({', '.join(which)})"
        for text, which in concerned.items()
    ]


def _places(judged: Sequence[Judged]) -> list[str]:
    """Which claims were tested where, if not all in one place."""
    places: dict[str, list[str]] = {}
    for one in judged:
        if one.place:
            places.setdefault(one.place, []).append(f"H{one.hypothesis.number}")
    return [f"{', '.join(of)} on {place}" for place, of in places.items()] if len(places) > 1 else []


def _passed_over(judged: Sequence[Judged]) -> list[str]:
    """Studies that were looked at and lack something, as an unfinished one does: none that serve other claims."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for one in judged:
        for place, error in one.passed_over.items():
            if not isinstance(error, Unsuited):
                lacking.setdefault((place, str(error)), []).append(f"H{one.hypothesis.number}")
    return [f"{', '.join(of)} NOT on {place}: {why}" for (place, why), of in lacking.items()]


def _not_normal(n_seeds: int) -> str:
    return (
        f"visibly not normal over the seeds (Shapiro-Wilk, p < {NORMALITY:g}): of t test and sign flips the "
        f"larger p counts;\n  {n_seeds} seeds cannot keep 5 % of false positives where differences are skewed "
        "(docs/hypotheses.md)"
    )


def _reason(one: Judged, part: Part) -> str:
    if part.status == "supported" and one.status == "undecided" and len(one.parts) == 1:
        return f"undecided: {part.reason} alone, but not after Holm"
    return f"{part.status}: {part.reason}"


def _every_seed(one: Judged, part: Part) -> str:
    values = ", ".join(f"{value:+.3g} ({seed})" for seed, value in zip(one.seeds, part.values, strict=True))
    return f"H{one.hypothesis.number} {part.name}, every seed: {values}"


def arm_tables(
    results: ArmResults,
    parameters_left: Mapping[str, Sequence[float] | NDArray[np.float64]],
    multiply_adds_left: Mapping[str, Sequence[float] | NDArray[np.float64]],
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
        All numbers in percent, losses against the unpruned arm in percentage points, as means over seeds; after +-
        half the width of the interval. That of an accuracy is over seeds of one arm and therefore wider than that
        of a loss, which is paired.
    """
    header = (
        "arm",
        "before",
        "after retraining",
        "loss",
        "loss predicted",
        "parameters left",
        "multiply-adds left",
    )
    rows = [
        (
            arm,
            _number(100 * float(results.accuracy_before[arm].mean()), ".2f"),
            with_interval(100 * results.accuracy_after[arm], level),
            with_interval(100 * (results.accuracy_after[UNPRUNED] - results.accuracy_after[arm]), level),
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
        (layer, _number(100 * float(dilution.mean()), ".1f"), _null(results, layer))
        for layer, dilution in results.dilution.items()
    ]
    if layers:
        title = f"Dilution in percent, the same in every arm but '{UNPRUNED}'."
        tables.append(Table(title, ("layer", "dilution", "expected without structure"), layers))
    return tables


def with_interval(values: ArrayLike, level: float, style: str = ".2f") -> str:
    """Mean over seeds, and after +- half the width of its t interval from five seeds on.

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
    numbers: NDArray[np.float64] = np.asarray(values, np.float64)
    if not np.isfinite(numbers).all():
        return "-"
    if len(numbers) < FIXED.minimum_seeds:
        return format(float(numbers.mean()), style)
    mean, low, high = paired_interval(numbers, level)
    return format(mean, style) + ("" if math.isnan(low) else f" +- {format((high - low) / 2, style)}")


def _prediction(results: ArmResults, arm: str) -> str:
    predicted = results.predicted.get(arm)
    return "-" if predicted is None else _number(100 * float(predicted.mean()), ".2f")


def _null(results: ArmResults, layer: str) -> str:
    null = results.null_dilution.get(layer)
    return "-" if null is None else _number(100 * float(null.mean()), ".1f")


def _number(value: float, style: str) -> str:
    return "-" if math.isnan(value) else format(value, style)


def p_text(value: float) -> str:
    """A p-value as it is printed; ``-`` where there is none."""
    return "<0.001" if value < 0.001 else _number(value, ".3f")
