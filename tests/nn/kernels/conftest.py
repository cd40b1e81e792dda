"""Fixtures of the kernel tests."""

import pytest

from deeptheory.system import threadpools


@pytest.fixture
def workers(threads, monkeypatch):
    """As many parts of the work, which the threads of this machine share."""
    monkeypatch.setattr(threadpools, "threads", lambda: threads)
