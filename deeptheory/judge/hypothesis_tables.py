"""Hypotheses and the verdicts on them as plain text."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from deeptheory.judge.decision import OPTIONS, Hypothesis, Judged, Part
from deeptheory.judge.statistical_power import POWER
from deeptheory.judge.statistics import PairedTest
from deeptheory.judge.verdict_tables import p_text
from deeptheory.tables import text_table


def hypothesis_list(hypotheses: Iterable[Hypothesis[Any]]) -> str:
    """Every hypothesis with what fixes it."""
    return "\n\n".join(
        "\n".join(
            [
                of.title,
                f"  claim      {of.claim}",
                f"  source     {of.source}",
                f"  statistic  {of.statistic}{_unit(of)}, one number per seed",
                f"  null       {of.null}",
                f"  rule       {of.rule.text}; {_needs(of)}",
                f"  power      {_detects(of, OPTIONS.minimum_seeds, of.detects(OPTIONS.minimum_seeds, 1))}",
            ]
        )
        for of in hypotheses
    )


def hypothesis_verdicts(judged: Sequence[Judged]) -> str:
    """The verdicts, one block per hypothesis, and the command below them."""
    lines = [f"repeat with: {command}" for command in dict.fromkeys(one.command for one in judged)]
    return "\n\n".join([*(_block(one) for one in judged), "\n".join(lines)])


def _block(one: Judged) -> str:
    of = one.hypothesis
    lines = [f"{of.title}: {one.status}", f"  {of.claim}", f"  {of.statistic}{_unit(of)}; {of.rule.text}"]
    tested = [(part, part.test) for part in one.parts if part.test]
    if tested:
        header = (
            "part",
            "effect",
            "interval",
            "at",
            "p" if of.holds_if == "all" else "p of the part",
            "seeds",
            "verdict",
            "because",
        )
        lines += [
            f"  {line}"
            for line in text_table(header, [_row(part, test) for part, test in tested], left=(0, 6, 7))
        ]
    lines += [f"  {part.name}: {part.reason}" for part in one.parts if not part.test]
    together = "all parts" if of.holds_if == "all" else "one part"
    lines.append(f"  claim ({together}): p {p_text(one.p)}, p Holm {p_text(one.p_holm)}")
    if math.isfinite(one.detects):
        lines.append(f"  {_detects(of, len(one.parts[0].values), one.detects)}")
    return "\n".join(lines)


def _row(part: Part, test: PairedTest) -> tuple[str, ...]:
    interval = f"[{test.low:+.3g}, {test.high:+.3g}]" if math.isfinite(test.low) else "-"
    level = f"{test.interval_level:.0%}"
    return (
        part.name,
        f"{test.effect:+.3g}",
        interval,
        level,
        p_text(part.p),
        str(test.n_seeds),
        part.status,
        part.reason,
    )


def _detects(of: Hypothesis[Any], n_seeds: int, effect: float) -> str:
    unit = f" {of.unit}" if of.unit else ""
    if math.isnan(effect):
        return f"{n_seeds} seeds are too few to find any effect at a scatter of {of.scatter:g}{unit}"
    found = f"{n_seeds} seeds find {effect:+.2g}{unit} in {POWER:.0%} of cases"
    return f"{found}, where they scatter by {of.scatter:g}"


def _needs(of: Hypothesis[Any]) -> str:
    parts = "every part" if of.holds_if == "all" else "one part"
    return f"{parts} after Holm at {1 - OPTIONS.level:.2g}, from {OPTIONS.minimum_seeds} seeds on"


def _unit(of: Hypothesis[Any]) -> str:
    return f" ({of.unit})" if of.unit else ""
