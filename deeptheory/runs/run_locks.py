"""One process at a time writes a run: a file in its directory says which."""

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

    A directory that cannot be written needs no lock, and gets none. A lock is taken over when its process cannot
    be there any more: it is not running on this host, or its Slurm job has ended or is this very job, which was
    requeued.

    Yields
    ------
    bool
        Whether it was taken here, and not around the block already.

    Raises
    ------
    InputError
        Another process holds it: host, process and since when are named.
    """
    path, mine = directory.resolve() / paths.LOCK, _identity()
    if path in _held or not os.access(directory, os.W_OK):
        yield False
        return
    _take(path, mine)
    _held.add(path)
    try:
        yield True
    finally:
        _held.discard(path)
        if _read(path) == mine:
            with contextlib.suppress(OSError):
                path.unlink()


def holder(directory: Path) -> str | None:
    """Who is writing a run, as far as one can tell from here; None if nobody is."""
    there = _read(directory / paths.LOCK)
    return None if there is None or _gone(there) else _named(there)


def _take(path: Path, mine: dict[str, Any]) -> None:
    for _ in range(3):
        if _create(path, mine):
            return
        there = _read(path)
        if there is None:  # let go in the meantime
            continue
        if not _gone(there):
            do = f"wait for it, or delete {path} if it is not running any more"
            raise InputError(
                f"run {path.parent}", "no other process that writes it", f"one at work: {_named(there)}", do
            )
        _discard(path, there)
    raise InputError(f"run {path.parent}", "a lock that can be taken", f"others at {path}", "try again")


def _create(path: Path, mine: dict[str, Any]) -> bool:
    """Make the lock with its text in one move: a second name for a file that is whole."""
    whole = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        whole.write_text(json.dumps(mine), encoding="utf-8")
        try:
            os.link(whole, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            try:
                with path.open("x", encoding="utf-8") as file:
                    json.dump(mine, file)
            except FileExistsError:
                return False
    finally:
        whole.unlink(missing_ok=True)
    return True


def _discard(path: Path, stale: dict[str, Any]) -> None:
    """Remove a stale lock; one that another process has put in its place meanwhile is put back."""
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
        return {}  # of a process that was killed while it made it


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


def _gone(there: dict[str, Any]) -> bool:
    """Whether the process of a lock has certainly ended."""
    if not there:
        return True
    if there["host"] == platform.node() and there["namespace"] == _namespace():
        return not _alive(there["process"]) or _start_of(there["process"]) != there["started"]
    job = there["slurm"].get("SLURM_JOB_ID")
    if job is None:
        return False
    # A job runs once at a time, and a requeued one keeps its number.
    return job == os.environ.get("SLURM_JOB_ID") or _ended(job)


def _ended(job: str) -> bool:
    """Whether Slurm says that a job is not in its queue; where it cannot be asked, the job may be running."""
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
    """When a process started, in ticks since this boot: tells it from a later one of the same number."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        after_name = (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return f"{boot} {after_name[19]}"


def _namespace() -> str | None:
    """In which numbering of processes this one is: containers of a host have their own."""
    try:
        return os.readlink(PROC / "self/ns/pid")
    except OSError:
        return None


def _named(there: dict[str, Any]) -> str:
    job = there["slurm"].get("SLURM_JOB_ID")
    of_job = f", Slurm job {job}" if job else ""
    return f"process {there['process']} on {there['host']}{of_job}, since {there['since']}"
