"""Configuration, run files and the steps of a run; a confirm study over several seeds."""

from deeptheory.runs.config import Config, read_config
from deeptheory.runs.run import Run
from deeptheory.runs.study import Study, confirm

__all__ = ["Config", "Run", "Study", "confirm", "read_config"]
