import io

import pytest

from deeptheory.system.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves only when it is told to: `clock["now"] = 3.0`."""
    time = {"now": 100.0}
    monkeypatch.setattr("deeptheory.system.progress.time.monotonic", lambda: time["now"])
    return time


def work(stream, clock, seconds, total=10, start=0, quiet=False):
    """Do the units from `start`, each of which takes so many seconds."""
    with Progress("train", total, "step", quiet, stream) as progress:
        for done in range(start + 1, total + 1):
            clock["now"] += seconds
            progress.advance(done, "loss 0.5")
    return stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_nothing_is_written_for_work_under_two_seconds(stream, clock):
    assert work(stream(), clock, 0.199) == ""


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_quiet_writes_nothing(stream, clock):
    assert work(stream(), clock, 60.0, quiet=True) == ""


def test_a_file_gets_plain_lines_every_five_seconds_and_the_last(clock):
    assert work(io.StringIO(), clock, 2.5).splitlines() == [
        "train: 2/10 steps, 20 s left, loss 0.5",
        "train: 4/10 steps, 15 s left, loss 0.5",
        "train: 6/10 steps, 10 s left, loss 0.5",
        "train: 8/10 steps, 5 s left, loss 0.5",
        "train: 10/10 steps, 0 s left, loss 0.5",
    ]


def test_a_terminal_gets_one_bar_that_is_drawn_over(clock):
    text = work(Terminal(), clock, 1.0)
    assert text.count("\n") == 1
    assert text.endswith("\n")
    bars = text.removesuffix("\n").split("\r\033[K")[1:]
    assert bars[0] == "[####                ] train: 2/10 steps, 8 s left, loss 0.5"
    assert bars[-1] == "[####################] train: 10/10 steps, 0 s left, loss 0.5"
    assert len(bars) == 9


def test_a_terminal_is_redrawn_five_times_a_second_at_most(clock):
    text = work(Terminal(), clock, 0.01, total=400)
    assert 9 <= text.count("\r") <= 11  # two of the four seconds are shown


def test_the_time_left_of_resumed_work_counts_what_was_done_now(clock):
    lines = work(io.StringIO(), clock, 3.0, total=100, start=90).splitlines()
    assert lines[0] == "train: 92/100 steps, 24 s left, loss 0.5"


def test_the_first_unit_says_nothing_of_the_time_left(clock):
    stream = io.StringIO()
    with Progress("render", 10000, "image", stream=stream) as progress:
        clock["now"] += 6.0  # compiling
        progress.advance(4000)
        clock["now"] += 5.0
        progress.advance(8000)
    assert stream.getvalue().splitlines() == [
        "render: 4000/10000 images",
        "render: 8000/10000 images, 2 s left",
    ]


def test_a_share_is_shown_in_percent(clock):
    stream = io.StringIO()
    with Progress("probe", 100, "%", stream=stream) as progress:
        clock["now"] += 6.0
        progress.advance(40)
    assert stream.getvalue() == "probe: 40 %\n"


@pytest.mark.parametrize(("quiet", "text"), [(False, "train: compiling\n"), (True, "")])
def test_a_line_before_the_work(quiet, text):
    stream = io.StringIO()
    Progress("train", 10, "step", quiet, stream).say("compiling")
    assert stream.getvalue() == text
