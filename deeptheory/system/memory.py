"""The memory that this process may still take, and the refusal of results that exceed it."""

import contextlib
import resource
from pathlib import Path

from deeptheory.errors import InputError
from deeptheory.system import cgroups

MEMORY_SHARE = 0.8  # of the free memory for one result; what computes it needs some as well


def free_memory() -> int | None:
    """Bytes of memory that can still be taken, or None where the system does not say.

    The smallest of what the machine has available, what control groups, such as Slurm's --mem, leave, and what a
    limit of the address space (`ulimit -v`) does.
    """
    sizes = _available_memory(), cgroups.memory_left(), _address_space_left()
    return min((size for size in sizes if size is not None), default=None)


def _address_space_left() -> int | None:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    taken = None if limit == resource.RLIM_INFINITY else process_memory("VmSize")
    return None if taken is None else max(limit - taken, 0)


def _available_memory() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return None


def process_memory(key: str) -> int | None:
    """An entry of /proc/self/status in bytes; None where there is none.

    "VmRSS" is the memory now, "VmHWM" at its largest, "VmSize" the address space.
    """
    # Not getrusage: its maximum counts the parent's memory at the moment of the fork.
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return 1024 * int(line.split()[1])
    return None


def reset_peak() -> None:
    """Let "VmHWM" of `process_memory` count from now on, where the system can do that."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def require_memory(what: str, needed: int, do: str) -> None:
    """Refuse a result that would take more than 80 % of the free memory, before it is made.

    Parameters
    ----------
    what : str
        The result, by the name the user knows it under.
    needed : int
        Its bytes.
    do : str
        How to use less.

    Raises
    ------
    InputError
        With both sizes. Nothing is refused where the system does not say how much memory is free.
    """
    free = free_memory()
    if free is not None and needed > MEMORY_SHARE * free:
        raise InputError(
            what,
            f"at most {MEMORY_SHARE:.0%} of the free memory, {gigabytes(MEMORY_SHARE * free)}".replace(
                "%", " %"
            ),
            gigabytes(needed),
            do,
        )


def gigabytes(size: float) -> str:
    """A number of bytes as messages say it: two digits below 1 GB, one decimal above."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e9:.2g} GB"
