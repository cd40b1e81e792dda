"""Whether other programs use the processors of this process, which makes times meaningless."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from deeptheory.system import standard_streams

TOLERATED = 0.1  # share of the processors that others may take
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Load:
    """Seconds of processor time so far: of all programs, and of this process with its ended children."""

    wall: float
    busy: float | None
    own: float
    processors: int

    @classmethod
    def now(cls) -> "Load":
        """The load up to now; `busy` is None where the system does not report it."""
        allowed = (
            os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
        )
        return cls(time.monotonic(), _busy(allowed), sum(os.times()[:4]), len(allowed))


def share_of_others(before: Load, after: Load) -> float | None:
    """Share of the processor time that other programs used between two moments; None where unknown."""
    if before.busy is None or after.busy is None:
        return None
    others = (after.busy - before.busy) - (after.own - before.own)
    return max(0.0, others / (after.processors * (after.wall - before.wall)))


def look() -> float | None:
    """Share that other programs use now, over one second."""
    before = Load.now()
    time.sleep(LOOK_SECONDS)
    return share_of_others(before, Load.now())


def is_quiet(shares: list[float | None]) -> bool | None:
    """Whether all shares are tolerable, None where one is unknown; warns on standard error if not."""
    if any(share is None for share in shares):
        return None
    worst = max(share for share in shares if share is not None)
    if worst <= TOLERATED:
        return True
    standard_streams.say(
        f"warning: other programs take {worst:.0%} of the processors: the times are not worth much\n"
    )
    return False


def _busy(allowed: set[int]) -> float | None:
    """Seconds in which the allowed processors were not idle, from /proc/stat."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return None
    ticks = 0
    for line in lines:
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in allowed:
            # user nice system idle iowait irq softirq steal; what follows is contained in user and nice
            counts = [int(field) for field in fields[:8]]
            ticks += sum(counts) - counts[3] - counts[4]
    return ticks / os.sysconf("SC_CLK_TCK")
