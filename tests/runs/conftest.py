import pytest

from deeptheory.runs.config import config_from
from deeptheory.runs.sweep import Sweep, SweepOptions
from tests.conftest import TINY

TINY_SWEEP = {
    **TINY,
    "train": {**TINY["train"], "epochs": 1},
    "data": {**TINY["data"], "train_per_label": 20},
    "judge": {"seeds": 2},
}


@pytest.fixture(autouse=True, scope="module")
def _threads(one_thread):
    """All tests of runs compute on one thread, unless they say otherwise."""


@pytest.fixture(scope="session")
def sweep_of():
    """The tiny configuration as a sweep over `grid` and `variants`."""

    def make(grid=None, variants=(), steps="measure", **tables):
        options = SweepOptions(steps=steps, grid=grid or {}, variants=tuple(variants))
        return Sweep(config_from({**TINY_SWEEP, **tables}), options)

    return make
