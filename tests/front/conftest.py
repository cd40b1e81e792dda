"""Everything that computes on tiny networks runs on one thread."""

import pytest

import deeptheory as dt

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def opened(study):
    """The finished run of the tiny study, as `dt.open_run` gives it."""
    return dt.open_run(study / "seed-3", quiet=True)
