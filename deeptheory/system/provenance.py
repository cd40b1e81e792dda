"""What a run file records of how its numbers came about: machine, versions, revision, job."""

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from deeptheory.system import instructions, mpi_launch, threadpools

HERE = Path(__file__).parent
RECORDED_PACKAGES = ("deeptheory", "numpy", "scipy", "numba", "h5py", "matplotlib", "msgspec")
SLURM_VARIABLES = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_CPUS_PER_TASK")


def provenance() -> dict[str, Any]:
    """What a run file records: host, processor, threads, processes, vectors, versions, git state, Slurm ids."""
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": _processor(),
        "threads": threadpools.threads(),
        "processes": mpi_launch.place()[1],
        "vectors": instructions.vectors(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in RECORDED_PACKAGES},
        **_git_state(),
        "slurm": {name: os.environ[name] for name in SLURM_VARIABLES if name in os.environ},
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _git_state() -> dict[str, Any]:
    """Revision of the checkout this package lies in; empty for an installed copy."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(HERE), *arguments], capture_output=True, text=True, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    tracked = git("ls-files", "--error-unmatch", Path(__file__).name)
    revision = git("rev-parse", "HEAD") if tracked else None
    changes = git("status", "--porcelain", "--untracked-files=no") if revision else None
    return {"git_revision": revision or "", "git_dirty": bool(changes)}
