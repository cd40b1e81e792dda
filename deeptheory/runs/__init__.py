"""Configuration, run files and the steps of a run; studies over several seeds, sweeps over options."""

from deeptheory.runs.comparison import Compared, compare, comparison_steps
from deeptheory.runs.config import Config, read_config
from deeptheory.runs.estimate import Estimate, estimate, require_memory, steps_until
from deeptheory.runs.imported import import_run, imported_config
from deeptheory.runs.run import Run
from deeptheory.runs.study import Study, check_directories, confirm
from deeptheory.runs.sweep import (
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
    "Config",
    "Estimate",
    "Run",
    "Study",
    "Sweep",
    "SweepEstimate",
    "Swept",
    "check_directories",
    "compare",
    "comparison_steps",
    "confirm",
    "estimate",
    "estimate_sweep",
    "import_run",
    "imported_config",
    "read_config",
    "read_sweep",
    "require_memory",
    "run_member",
    "run_sweep",
    "steps_until",
]
