"""Long work that reports nothing still shows that it is alive."""

import contextlib
import threading

import pytest

from deeptheory.system import heartbeats
from deeptheory.system.heartbeats import note_output


@pytest.fixture
def eager(monkeypatch):
    monkeypatch.setattr(heartbeats, "SILENCE", 0.0)
    monkeypatch.setattr(heartbeats, "LOOK", 0.001)
    monkeypatch.setattr(heartbeats, "LEAST", 0.0)


def wait_for(capsys, text):
    """Read standard error until the text is there; the tests' time limit ends a wait for ever."""
    found = ""
    while text not in found:
        found += capsys.readouterr().err
        threading.Event().wait(0.001)
    return found


def test_silence_is_broken_by_the_innermost_title(eager, capsys):
    with heartbeats.heartbeat("outer"):
        wait_for(capsys, "outer: at work, 0 s so far\n")
        with heartbeats.heartbeat("inner"):
            wait_for(capsys, "inner: at work")
        wait_for(capsys, "outer: at work")


def test_quiet_and_reported_work_get_no_line(eager, monkeypatch, capsys):
    with heartbeats.heartbeat("work", quiet=True):
        threading.Event().wait(0.02)
    monkeypatch.setattr(heartbeats, "SILENCE", 1000.0)
    with heartbeats.heartbeat("work"):
        note_output()
        threading.Event().wait(0.02)
    assert capsys.readouterr().err == ""


def test_it_ends_with_the_block(eager, capsys):
    with contextlib.suppress(ValueError), heartbeats.heartbeat("work"):
        wait_for(capsys, "work")
        raise ValueError
    threading.Event().wait(0.02)
    capsys.readouterr()
    threading.Event().wait(0.02)
    assert capsys.readouterr().err == ""
