"""Hypotheses as plain text."""

import math
from collections.abc import Iterable
from typing import Any

from deeptheory.judge.decision import FIXED, Hypothesis
from deeptheory.judge.statistical_power import POWER


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
                f"  rule       {of.rule_text()}; {_needs(of)}",
                f"  power      {_detects(of, FIXED.minimum_seeds, of.detects(FIXED.minimum_seeds, 1))}",
            ]
        )
        for of in hypotheses
    )


def _detects(of: Hypothesis[Any], n_seeds: int, effect: float) -> str:
    unit = f" {of.unit}" if of.unit else ""
    if math.isnan(effect):
        return f"{n_seeds} seeds are too few to find any effect at a scatter of {of.scatter:g}{unit}"
    found = f"{n_seeds} seeds find {effect:+.2g}{unit} in {POWER:.0%} of cases"
    return f"{found}, where they scatter by {of.scatter:g}"


def _needs(of: Hypothesis[Any]) -> str:
    parts = "every part" if of.holds_if == "all" else "one part"
    return f"{parts} after Holm at {1 - FIXED.level:.2g}, from {FIXED.minimum_seeds} seeds on"


def _unit(of: Hypothesis[Any]) -> str:
    return f" ({of.unit})" if of.unit else ""
