"""One run: its configuration, its file, its steps, what they need and what they found."""

from deeptheory.runs.configuration import Config, read_config
from deeptheory.runs.estimates import Estimate, estimate, require_memory, steps_until
from deeptheory.runs.imports import import_run, imported_config, masking_last_stages
from deeptheory.runs.run import Run

__all__ = [
    "Config",
    "Estimate",
    "Run",
    "estimate",
    "import_run",
    "imported_config",
    "masking_last_stages",
    "read_config",
    "require_memory",
    "steps_until",
]
