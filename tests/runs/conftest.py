import numpy as np
import pytest

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
