"""Sweeps: one run for every point of a grid, every variant and every seed."""

from deeptheory.studies.sweep.execution import Swept, run_member, run_sweep
from deeptheory.studies.sweep.expansion import Member, expand
from deeptheory.studies.sweep.member_states import MemberState, status
from deeptheory.studies.sweep.options import Sweep, SweepOptions, read_sweep
from deeptheory.studies.sweep.requirements import SweepEstimate, estimate_sweep
from deeptheory.studies.sweep.results import collect, summary_tables
from deeptheory.studies.sweep.slurm import SlurmOptions
from deeptheory.studies.sweep.submission import array_scripts, submit_sweep

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
