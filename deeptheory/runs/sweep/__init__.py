"""Sweeps: one run for every point of a grid, every variant and every seed."""

from deeptheory.runs.sweep.estimate import SweepEstimate, estimate_sweep
from deeptheory.runs.sweep.execution import Swept, run_member, run_sweep
from deeptheory.runs.sweep.expansion import Member, expand
from deeptheory.runs.sweep.options import Sweep, SweepOptions, read_sweep
from deeptheory.runs.sweep.results import collect, summary_tables
from deeptheory.runs.sweep.slurm import SlurmOptions
from deeptheory.runs.sweep.states import MemberState, status
from deeptheory.runs.sweep.submission import array_scripts, submit_sweep

__all__ = [
    "Member",
    "MemberState",
    "SlurmOptions",
    "Sweep",
    "SweepEstimate",
    "SweepOptions",
    "Swept",
    "array_scripts",
    "collect",
    "estimate_sweep",
    "expand",
    "read_sweep",
    "run_member",
    "run_sweep",
    "status",
    "submit_sweep",
    "summary_tables",
]
