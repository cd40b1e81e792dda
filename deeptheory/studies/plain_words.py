"""A confirm study in ten lines, for someone who sees one for the first time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deeptheory.judge import ArmResults, Judged
from deeptheory.judge.verdict_tables import exploratory_texts, true_if
from deeptheory.runs.run import Run
from deeptheory.store import paths
from deeptheory.store.paths import AFCC, UNPRUNED

CLAIM = "each filter serves a few labels; connections between filters that share none can go (AFCC)"
FIRST = {
    "accuracy-and-snr": "what each stage knows, and how clearly",
    "field-matrix": "the labels that one filter serves",
    "accuracy-by-arm": "what pruning cost, arm by arm",
}


def in_words(
    directory: Path,
    runs: Sequence[Run],
    results: ArmResults,
    judged: Sequence[Judged],
    figures: Sequence[Path],
) -> str:
    """What was claimed, predicted, measured and concluded, where the figures are, and what to look at first."""
    dilution = float(
        np.mean([run.read_number(paths.arm_path("prune", AFCC, paths.DILUTION)) for run in runs])
    )
    measured = [f"{arm} {_percent(values)}" for arm, values in results.accuracy_after.items()]
    pruned = [arm for arm in results.arms if arm != UNPRUNED]
    lost = {arm: results.accuracy_after[UNPRUNED] - results.accuracy_after[arm] for arm in pruned}
    losses = [f"{arm} {_percent(lost[arm])}" for arm in pruned]
    predicted = [f"{arm} {_percent(results.predicted[arm])}" for arm in pruned if arm in results.predicted]
    look = [f"{path.name} ({FIRST[path.stem]})" for path in figures if path.stem in FIRST]
    lines = {
        "claimed": CLAIM,
        "done": f"{results.n_seeds} networks trained, {100 * dilution:.0f} % of the weights in the masked layers "
        "removed, all retrained",
        "predicted": f"before any arm was pruned, points lost against unpruned: {', '.join(predicted)}",
        "measured": f"after retraining, mean over seeds: {', '.join(losses)}",
        "accuracy": f"after retraining, test accuracy in %: {', '.join(measured)}",
        **{status: _claims(judged, status) for status in ("supported", "not supported", "undecided")},
        "figures": str(figures[0].parent) if figures else "none",
        "look first": ", ".join(look) or "at the table of verdicts above",
        "then": f"deeptheory inspect {runs[0].directory}; deeptheory report {directory} --out report.html",
    }
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {text}" for name, text in lines.items())


def _percent(shares: np.typing.NDArray[np.float64]) -> str:
    return f"{100 * float(shares.mean()):.1f}"


def _claims(judged: Sequence[Judged], status: str) -> str:
    labels = [_with_effect(one) for one in judged if one.status == status]
    reasons = exploratory_texts(judged)
    return (", ".join(labels) or "nothing") + (
        f" (exploratory: {', '.join(reasons)})" if labels and reasons else ""
    )


def _with_effect(one: Judged) -> str:
    part = one.parts[0]
    if len(one.parts) > 1 or not len(part.values):
        return one.hypothesis.label
    unit = f" {one.hypothesis.unit}" if one.hypothesis.unit else ""
    return f"{one.hypothesis.label} ({part.values.mean():+.2g}{unit}, needed {true_if(part)})"
