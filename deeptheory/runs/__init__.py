"""Configuration, run files and the steps of a run; studies over several seeds, sweeps over options."""

from deeptheory.runs.comparison import Compared, compare
from deeptheory.runs.config import Config, read_config
from deeptheory.runs.run import Run
from deeptheory.runs.study import Study, confirm
from deeptheory.runs.sweep import Sweep, Swept, read_sweep, run_member, run_sweep

__all__ = [
    "Compared",
    "Config",
    "Run",
    "Study",
    "Sweep",
    "Swept",
    "compare",
    "confirm",
    "read_config",
    "read_sweep",
    "run_member",
    "run_sweep",
]
