"""What runs need before they start: memory, disk and time; and the refusal of those that do not fit."""

from deeptheory.runs.estimates.memory import COMPARE, Parts, disk_bytes, file_bytes, peaks, steps_until
from deeptheory.runs.estimates.refusal import require_memory
from deeptheory.runs.estimates.requirements import Estimate, duration, estimate
from deeptheory.runs.estimates.sizes import Sizes, sizes_of

__all__ = [
    "COMPARE",
    "Estimate",
    "Parts",
    "Sizes",
    "disk_bytes",
    "duration",
    "estimate",
    "file_bytes",
    "peaks",
    "require_memory",
    "sizes_of",
    "steps_until",
]
