"""What runs many runs: confirm studies, comparisons of criteria, sweeps, hypotheses on runs."""

from deeptheory.studies.comparison import Compared, compare, comparison_steps
from deeptheory.studies.confirmation import Study, confirm
from deeptheory.studies.seed_runs import check_directories
from deeptheory.studies.sweep import (
    Sweep,
    SweepEstimate,
    Swept,
    estimate_sweep,
    read_sweep,
    run_member,
    run_sweep,
)

__all__ = [
    "Compared",
    "Study",
    "Sweep",
    "SweepEstimate",
    "Swept",
    "check_directories",
    "compare",
    "comparison_steps",
    "confirm",
    "estimate_sweep",
    "read_sweep",
    "run_member",
    "run_sweep",
]
