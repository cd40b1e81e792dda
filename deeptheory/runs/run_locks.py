"""Locks of run directories: one process at a time writes a run, and a file in the directory names it."""

import contextlib
import json
import os
import platform
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from deeptheory.errors import InputError
from deeptheory.store import paths

PROC = Path("/proc")
QUERY_SECONDS = 10  # for Slurm to answer
SLURM = "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"

_held: set[Path] = set()


@contextlib.contextmanager
def lock(directory: Path) -> Iterator[bool]:
    """Hold the lock of a run directory in the block.

    A directory that cannot be written gets no lock. A lock is taken over if its process has certainly ended: it is
    not running on this host, or its Slurm job has ended or is this job, requeued.

    Yields
    ------
    bool
        Whether the lock was taken here; False inside a block that holds it already.

    Raises
    ------
    InputError
        Another process holds it; the message names host, process and start time.
    """
    path, own_identity = directory.resolve() / paths.LOCK, _identity()
    if path in _held or not os.access(directory, os.W_OK):
        yield False
        return
    _take(path, own_identity)
    _held.add(path)
    try:
        yield True
    finally:
        _held.discard(path)
        if _read(path) == own_identity:
            with contextlib.suppress(OSError):
                path.unlink()


def holder(directory: Path) -> str | None:
    """The process that writes a run, for messages; None if there is none, as far as this host can tell."""
    identity = _read(directory / paths.LOCK)
    return None if identity is None or _has_ended(identity) else _description(identity)


def _take(path: Path, own_identity: dict[str, Any]) -> None:
    for _ in range(3):
        if _create(path, own_identity):
            return
        identity = _read(path)
        if identity is None:  # released in the meantime
            continue
        if not _has_ended(identity):
            do = f"wait for it, or delete {path} if it is not running any more"
            raise InputError(
                f"run {path.parent}",
                "no other process that writes it",
                f"one at work: {_description(identity)}",
                do,
            )
        _discard(path, identity)
    raise InputError(f"run {path.parent}", "a lock that can be taken", f"others at {path}", "try again")


def _create(path: Path, own_identity: dict[str, Any]) -> bool:
    """Make the lock with its text atomically: as a hard link to a complete file."""
    whole = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        whole.write_text(json.dumps(own_identity), encoding="utf-8")
        try:
            os.link(whole, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            try:
                with path.open("x", encoding="utf-8") as file:
                    json.dump(own_identity, file)
            except FileExistsError:
                return False
    finally:
        whole.unlink(missing_ok=True)
    return True


def _discard(path: Path, stale: dict[str, Any]) -> None:
    """Remove a stale lock; a new one that another process made in the meantime is put back."""
    aside = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return
    if _read(aside) != stale:
        with contextlib.suppress(OSError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        return {}  # its process was killed while it wrote the file


def _identity() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "process": os.getpid(),
        "started": _start_of(os.getpid()),
        "namespace": _namespace(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "slurm": {name: os.environ[name] for name in SLURM if name in os.environ},
        "token": token_hex(8),
    }


def _has_ended(identity: dict[str, Any]) -> bool:
    """Whether the process of a lock has certainly ended."""
    if not identity:
        return True
    if identity["host"] == platform.node() and identity["namespace"] == _namespace():
        return not _alive(identity["process"]) or _start_of(identity["process"]) != identity["started"]
    job = identity["slurm"].get("SLURM_JOB_ID")
    if job is None:
        return False
    # A job runs once at a time, and a requeued one keeps its number.
    return job == os.environ.get("SLURM_JOB_ID") or _job_has_ended(job)


def _job_has_ended(job: str) -> bool:
    """Whether Slurm says that a job is not in its queue; False if Slurm cannot be asked."""
    command = ["squeue", "--noheader", "--jobs", job, "--format", "%T"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=QUERY_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    if asked.returncode:
        return "Invalid job id" in asked.stderr
    return not asked.stdout.strip()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        pass
    return True


def _start_of(process: int) -> str | None:
    """Start time of a process, in ticks since boot: distinguishes it from a later process of the same number."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        after_name = (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return f"{boot} {after_name[19]}"


def _namespace() -> str | None:
    """The PID namespace of this process: containers on one host have their own."""
    try:
        return os.readlink(PROC / "self/ns/pid")
    except OSError:
        return None


def _description(identity: dict[str, Any]) -> str:
    job = identity["slurm"].get("SLURM_JOB_ID")
    of_job = f", Slurm job {job}" if job else ""
    return f"process {identity['process']} on {identity['host']}{of_job}, since {identity['since']}"
