import pytest


@pytest.fixture(autouse=True, scope="module")
def _threads(one_thread):
    """All tests of runs compute on one thread, unless they say otherwise."""
