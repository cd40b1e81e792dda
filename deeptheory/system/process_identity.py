"""Who a process is, among all machines that share its files, and whether it has certainly ended."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from deeptheory.system import file_systems, slurm

PROC = Path("/proc")
Identity = Mapping[str, Any]


def identity() -> dict[str, Any]:
    """This process, for others: host, boot, number and start, user, place in Slurm, and a token of its own."""
    process = os.getpid()
    return {
        "host": platform.node(),
        "process": process,
        "started": _start_of(process),
        "namespace": _namespace(),
        "user": os.getuid(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "slurm": slurm.place(),
        "token": token_hex(8),
    }


def has_ended(other: Identity, directory: Path, ask: bool = True) -> bool:
    """Whether a process has certainly ended; False in doubt.

    Processes of the present boot of this machine are looked at, if they are numbered as this one is. Names of
    hosts say nothing: two may have the same. Of another boot a process has ended if its files are on a disk that
    no other machine can write to; otherwise only Slurm can say so (`slurm.has_ended`).

    Parameters
    ----------
    other : mapping
        As `identity` gave it to the process; one that lacks an entry is believed to run.
    directory : Path
        Where it writes.
    ask : bool
        Ask Slurm as well, which takes a moment.
    """
    started, process = other.get("started"), other.get("process")
    boot = _boot()
    if boot and isinstance(started, str) and isinstance(process, int):
        if started.split(" ")[0] != boot:
            if file_systems.is_of_this_machine(directory):
                return True
        elif other.get("namespace") == _namespace():
            return not _alive(process) or _start_of(process) != started
    place = other.get("slurm")
    return ask and isinstance(place, Mapping) and slurm.has_ended(place, other.get("user"))


def described(other: Identity) -> str:
    """A process in one line: number, host, job and step of Slurm, since when."""
    place = other.get("slurm")
    place = place if isinstance(place, Mapping) else {}
    job, cluster = place.get(slurm.JOB), place.get(slurm.CLUSTER)
    of_job = f", Slurm job {job}" + (f" of {cluster}" if cluster else "") if job else ""
    process, host, since = (other.get(name, "?") for name in ("process", "host", "since"))
    return f"process {process} on {host}{of_job}, since {since}"


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # of another user
        pass
    return True


def _start_of(process: int) -> str | None:
    """The boot, and the start of a process in ticks since: distinguishes it from a later one of its number."""
    try:
        after_name = (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return f"{_boot()} {after_name[19]}"


def _boot() -> str | None:
    """The random number that the system drew when it started: no two machines have the same."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


def _namespace() -> str | None:
    """The PID namespace of this process: containers on one host have their own."""
    try:
        return os.readlink(PROC / "self/ns/pid")
    except OSError:
        return None
