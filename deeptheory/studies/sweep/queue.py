"""Calls of Slurm: submit a script, get the largest array, list the jobs in the queue."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from deeptheory.errors import InputError
from deeptheory.store import paths

DEFAULT_ARRAY_SIZE = 1001  # MaxArraySize where a site sets none


def require_sbatch() -> None:
    """Raise an `InputError` on a machine that cannot give jobs to Slurm."""
    if shutil.which("sbatch") is None:
        do = "print the script with --dry-run, or compute here with --jobs"
        raise InputError("--slurm", "the command sbatch", "none on this machine", do)


def array_size_limit() -> int:
    """The site's MaxArraySize, above all task ids; Slurm's own default on a machine without Slurm."""
    if shutil.which("scontrol") is None:
        return DEFAULT_ARRAY_SIZE
    shown = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True)
    match = re.search(r"^MaxArraySize\s*=\s*(\d+)", shown.stdout, re.MULTILINE)
    return int(match[1]) if match else DEFAULT_ARRAY_SIZE


def sbatch(script: Path, after: str | None, environment: Mapping[str, str]) -> str:
    """Submit a script and note its job in the list beside it.

    Parameters
    ----------
    script : Path
    after : str, optional
        A job that has to end first.
    environment : mapping
        Variables of the job, beside those of Slurm.

    Returns
    -------
    str
        The id of the job.

    Raises
    ------
    InputError
        What sbatch said when it refused. The script stays.
    """
    options = [f"--dependency=afterany:{after}"] if after else []
    command = ["sbatch", "--parsable", *options, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        said = " ".join(done.stderr.replace("sbatch: error: ", "").split())
        do = f"give other options, or edit {script} and give it to sbatch"
        raise InputError("sbatch", "a script that Slurm takes", said or f"exit code {done.returncode}", do)
    job = done.stdout.strip().partition(";")[0]  # the name of the cluster may follow
    with (script.parent / paths.SLURM_JOBS).open("a", encoding="utf-8") as file:
        file.write(f"{job} {script.name}\n")
    return job


def refuse_queued(directory: Path) -> None:
    """Raise an `InputError` while Slurm holds jobs of the sweep in a directory.

    Jobs are known by the list that `sbatch` keeps: a script that was submitted by hand is not in it.
    """
    listed = directory / paths.SWEEP_SLURM / paths.SLURM_JOBS
    if not listed.is_file() or shutil.which("squeue") is None:
        return
    jobs = {line.split()[0] for line in listed.read_text(encoding="utf-8").splitlines() if line.strip()}
    shown = subprocess.run(
        ["squeue", "--array", "--noheader", "--format=%F %T"], capture_output=True, text=True
    )
    if shown.returncode:
        do = "try again when Slurm answers"
        raise InputError("squeue", "the jobs in the queue", " ".join(shown.stderr.split()), do)
    rows = [line.split() for line in shown.stdout.splitlines()]
    held = [(job, state.lower()) for job, state in rows if job in jobs]
    if held:
        own_jobs = sorted({job for job, _ in held}, key=int)
        counts = ", ".join(f"{count} {state}" for state, count in sorted(Counter(s for _, s in held).items()))
        do = (
            f"see 'deeptheory sweep status {directory}', and wait for them "
            f"or end them with 'scancel {' '.join(own_jobs)}'"
        )
        found = f"{counts} of job{'s' * (len(own_jobs) > 1)} {', '.join(own_jobs)}"
        raise InputError(f"sweep {directory}", "none of its members in the queue", found, do)
