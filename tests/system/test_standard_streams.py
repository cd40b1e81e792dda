"""Streams that are closed, or that nobody reads any more."""

import os
import subprocess
import sys

import pytest

from deeptheory.system import standard_streams
from deeptheory.system.progress import Progress


@pytest.fixture
def broken():
    """A pipe whose reader is gone."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w", buffering=1, encoding="utf-8")
    yield stream
    with pytest.raises(BrokenPipeError):
        stream.close()


@pytest.fixture
def closed(tmp_path):
    with (tmp_path / "log").open("w") as stream:
        pass
    return stream


@pytest.mark.parametrize("kind", ["broken", "closed"])
def test_what_cannot_be_written_is_lost_and_stops_nothing(request, kind, monkeypatch):
    stream = request.getfixturevalue(kind)
    standard_streams.say("at work\n", stream)
    assert not standard_streams.is_terminal(stream)
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("deeptheory.system.progress.time.monotonic", lambda: next(clock))
    with Progress("train", 3, stream=stream) as progress:
        progress.say("begun")
        for done in range(4):
            progress.advance(done)
    assert progress.shown


def test_a_process_without_standard_error_has_progress_that_nobody_sees(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    standard_streams.say("at work\n")
    with Progress("train", 3) as progress:
        progress.say("begun")
        assert not progress.terminal


def test_files_do_not_get_the_numbers_of_closed_streams(tmp_path):
    path = tmp_path / "file"
    script = (
        "import os, sys\n"
        "from deeptheory.system import standard_streams\n"
        "standard_streams.open_closed()\n"
        f"with open({str(path)!r}, 'w') as file:\n"
        "    file.write(str(file.fileno()))\n"
        "    print('lost'), print('lost', file=sys.stderr), sys.stdin.read(), os.write(2, b'lost')\n"
    )
    command = f'exec "{sys.executable}" -c "$1" 0<&- 1>&- 2>&-'
    assert subprocess.run(["sh", "-c", command, "sh", script], check=False).returncode == 0
    assert int(path.read_text()) > 2
