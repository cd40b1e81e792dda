import numpy as np
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

TIMES = ("finished", "wall_seconds", "begun", "seconds")


@pytest.fixture(autouse=True, scope="module")
def _threads(one_thread):
    """All tests of runs compute on one thread, unless they say otherwise."""


@pytest.fixture
def assert_same():
    """Two trees are the same to the last bit, apart from the times."""
    return _assert_same


def _assert_same(found, expected, where=""):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for name in expected.keys() - set(TIMES):
            _assert_same(found[name], expected[name], f"{where}/{name}")
    else:
        np.testing.assert_array_equal(found, expected, err_msg=where)


@pytest.fixture(scope="session")
def sweep_of():
    """The tiny configuration as a sweep over `grid` and `variants`."""

    def make(grid=None, variants=(), steps="measure", **tables):
        options = SweepOptions(steps=steps, grid=grid or {}, variants=tuple(variants))
        return Sweep(config_from({**TINY_SWEEP, **tables}), options)

    return make
