"""What counts as confirmed: paired tests over seeds, Holm over the claims, verdicts and their tables."""

from deeptheory.judge.arm_results import ArmResults
from deeptheory.judge.claims import confirm_claims
from deeptheory.judge.comparison import Comparison, paired_differences, smallest_density_without_loss
from deeptheory.judge.comparison_tables import comparison_tables
from deeptheory.judge.decision import Hypothesis, Judged, Part, judge_hypotheses
from deeptheory.judge.hypotheses import HYPOTHESES, hypothesis
from deeptheory.judge.hypothesis_tables import hypothesis_list, hypothesis_verdicts
from deeptheory.judge.options import JudgeOptions
from deeptheory.judge.statistics import (
    PairedTest,
    equivalence,
    holm,
    non_inferiority,
    paired_interval,
    superiority,
)
from deeptheory.judge.verdict import Verdict, decide
from deeptheory.judge.verdict_tables import arm_tables, p_text, verdict_table, with_interval

__all__ = [
    "HYPOTHESES",
    "ArmResults",
    "Comparison",
    "Hypothesis",
    "JudgeOptions",
    "Judged",
    "PairedTest",
    "Part",
    "Verdict",
    "arm_tables",
    "comparison_tables",
    "confirm_claims",
    "decide",
    "equivalence",
    "holm",
    "hypothesis",
    "hypothesis_list",
    "hypothesis_verdicts",
    "judge_hypotheses",
    "non_inferiority",
    "p_text",
    "paired_differences",
    "paired_interval",
    "smallest_density_without_loss",
    "superiority",
    "verdict_table",
    "with_interval",
]
