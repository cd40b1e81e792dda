"""Energy of inference: from the processor's counters where they can be read, otherwise estimated."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
COUNTED, ESTIMATE = "RAPL", "ESTIMATE"

# Joules, in 45 nm at 0.9 V: M. Horowitz, "Computing's energy problem", ISSCC 2014, figure 1.1.9.
MULTIPLY_ADD = 3.7e-12 + 0.9e-12  # 32-bit floating-point multiplication and addition
CACHE_BYTE = 100e-12 / 8  # 64 bits from 1 MB of cache
MEMORY_BYTE = 1.3e-9 / 8  # 64 bits from DRAM, the lower of the two values given


@dataclass(frozen=True)
class Counter:
    """One energy counter of the system (Linux powercap, RAPL).

    Attributes
    ----------
    path : Path
        File that holds the counted microjoules.
    limit : int
        Microjoules after which the counter restarts at zero.
    """

    path: Path
    limit: int

    def read(self) -> int:
        """Microjoules so far."""
        return int(self.path.read_text())


def find_counters(root: Path = POWERCAP) -> list[Counter]:
    """The readable counters of all processor packages and of their memory.

    Cores and graphics are parts of a package, and the platform ("psys") contains the packages: they are left out.
    Reading usually needs administrator rights.
    """
    counters = []
    for zone in sorted(root.glob("intel-rapl:*")):
        try:
            name = (zone / "name").read_text().strip()
            counter = Counter(zone / "energy_uj", int((zone / "max_energy_range_uj").read_text()))
            counter.read()
        except (OSError, ValueError):
            continue
        if name.startswith("package") or name == "dram":
            counters.append(counter)
    return counters


def joules_between(counters: Sequence[Counter], before: Sequence[int], after: Sequence[int]) -> float:
    """Joules between two readings of all counters; each may have restarted at zero once.

    The energy is that of all processors and memory of the machine, with idle power and other programs, NOT of this
    process alone.
    """
    return 1e-6 * sum(
        late - early + (counter.limit if late < early else 0)
        for counter, early, late in zip(counters, before, after, strict=True)
    )


def estimated_joules(multiply_adds: int, weight_bytes: int, activation_bytes: int, batch: int) -> float:
    """Estimated joules per input.

    A multiply-add takes 4.6 pJ. All arrays of the network are read from memory once per batch (163 pJ per byte);
    activations are written to and read from a cache of 1 MB (12.5 pJ per byte). Energies for 45 nm: Horowitz,
    ISSCC 2014.

    Parameters
    ----------
    multiply_adds : int
        Executed per input.
    weight_bytes : int
        Of all arrays of the network.
    activation_bytes : int
        Written and read per input.
    batch : int
        Inputs that share one reading of the weights.

    Returns
    -------
    float
        [model] NOT a measurement: newer processors need a fraction of it, instructions and idle power are left
        out, and operations that a fast algorithm saves are counted. Only ratios between networks are meaningful.
    """
    return MULTIPLY_ADD * multiply_adds + MEMORY_BYTE * weight_bytes / batch + CACHE_BYTE * activation_bytes
