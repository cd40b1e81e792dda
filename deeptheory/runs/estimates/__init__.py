"""What runs need before they start: memory, disk and time; and the refusal of those that do not fit."""

from deeptheory.runs.estimates.memory_law import COMPARE, sizes_of, steps_until
from deeptheory.runs.estimates.refusal import require_memory
from deeptheory.runs.estimates.requirements import Estimate, duration, estimate

__all__ = ["COMPARE", "Estimate", "duration", "estimate", "require_memory", "sizes_of", "steps_until"]
