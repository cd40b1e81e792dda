"""What counts as confirmed: hypotheses with fixed rules, paired tests over seeds, and verdicts."""

from deeptheory.judge.arm_results import ArmResults
from deeptheory.judge.comparison import Comparison, paired_differences, smallest_density_without_loss
from deeptheory.judge.comparison_tables import comparison_tables
from deeptheory.judge.decision import FIXED, RULE_OPTIONS, Case, Hypothesis, Judged, Part, judge_hypotheses
from deeptheory.judge.hypotheses import HYPOTHESES, family, hypothesis
from deeptheory.judge.hypothesis_tables import hypothesis_list
from deeptheory.judge.options import JudgeOptions
from deeptheory.judge.sampling import (
    accuracy_variance,
    at_chance,
    clearly_below,
    difference_variance,
    far_above,
    paired_variance,
)
from deeptheory.judge.statistics import (
    PairedTest,
    equivalence,
    holm,
    non_inferiority,
    paired_interval,
    superiority,
)
from deeptheory.judge.verdict_tables import arm_tables, p_text, verdict_table, with_interval

__all__ = [
    "FIXED",
    "HYPOTHESES",
    "RULE_OPTIONS",
    "ArmResults",
    "Case",
    "Comparison",
    "Hypothesis",
    "JudgeOptions",
    "Judged",
    "PairedTest",
    "Part",
    "accuracy_variance",
    "arm_tables",
    "at_chance",
    "clearly_below",
    "comparison_tables",
    "difference_variance",
    "equivalence",
    "family",
    "far_above",
    "holm",
    "hypothesis",
    "hypothesis_list",
    "judge_hypotheses",
    "non_inferiority",
    "p_text",
    "paired_differences",
    "paired_interval",
    "paired_variance",
    "smallest_density_without_loss",
    "superiority",
    "verdict_table",
    "with_interval",
]
