"""Slurm: the job that this process runs in, and whether that of another process has ended."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

QUERY_SECONDS = 10  # for Slurm to answer
CLUSTER, JOB, RESTARTS, NODE = "SLURM_CLUSTER_NAME", "SLURM_JOB_ID", "SLURM_RESTART_COUNT", "SLURMD_NODENAME"
NAMES = (JOB, "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_STEP_ID", RESTARTS, NODE, CLUSTER)


def place() -> dict[str, str]:
    """Cluster, job, step, node and number of restarts of this process, by Slurm's names; empty outside of jobs."""
    return {name: os.environ[name] for name in NAMES if name in os.environ}


def has_ended(other: Mapping[str, str], user: int | None) -> bool:
    """Whether the job of another process has certainly ended; False in doubt.

    That of another cluster, and of a process that no node ran for Slurm, is not known. A job runs once at a time:
    once it is restarted, its processes of before have ended, those beside this one in the same job have not.

    Parameters
    ----------
    other : mapping
        As `place` gave it to the process.
    user : int, optional
        The user of the job: a site may show everybody none but his own.
    """
    if not {CLUSTER, JOB, NODE} <= other.keys():
        return False
    own = place()
    if other[CLUSTER] != own.get(CLUSTER, _setting("ClusterName")):
        return False
    if other[JOB] == own.get(JOB):
        return _restarts(other) < _restarts(own)
    hidden = user != os.getuid() and _setting("PrivateData") != "none"
    return not hidden and _is_not_in_queue(other[JOB])


def _restarts(place: Mapping[str, str]) -> int:
    count = place.get(RESTARTS, "0")
    return int(count) if count.isdigit() else 0


def _is_not_in_queue(job: str) -> bool:
    """Whether Slurm says that a job is not in its queue; False if it cannot be asked."""
    asked = _ask("squeue", "--noheader", "--jobs", job, "--format", "%T")
    if asked is None:
        return False
    if asked.returncode:
        return "Invalid job id" in asked.stderr
    return not asked.stdout.strip()


def _setting(name: str) -> str | None:
    """One line of Slurm's configuration; None if it cannot be asked."""
    shown = _ask("scontrol", "show", "config")
    match = re.search(rf"^{name}\s*=\s*(\S+)", shown.stdout, re.MULTILINE) if shown else None
    return match[1] if match else None


def _ask(*command: str) -> subprocess.CompletedProcess[str] | None:
    if shutil.which(command[0]) is None:
        return None
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=QUERY_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
