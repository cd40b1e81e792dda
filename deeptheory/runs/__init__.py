"""Configuration, run files and the steps of a run; studies over several seeds."""

from deeptheory.runs.comparison import Compared, compare
from deeptheory.runs.config import Config, read_config
from deeptheory.runs.run import Run
from deeptheory.runs.study import Study, confirm

__all__ = ["Compared", "Config", "Run", "Study", "compare", "confirm", "read_config"]
