"""A sign of life for work that has nothing to report for a while, such as compiling."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

SILENCE = 4.5  # seconds after which a line is written
LOOK = 0.25  # seconds between looks

_last_written = time.monotonic()
_titles: list[str] = []


def note_output() -> None:
    """Something was written just now: the next sign of life can wait."""
    global _last_written
    _last_written = time.monotonic()


@contextlib.contextmanager
def heartbeat(title: str, quiet: bool = False) -> Iterator[None]:
    """Write to standard error that the block is still at work whenever nothing was written for five seconds.

    Parameters
    ----------
    title : str
        What is being done; inside another such block this one's title is shown.
    quiet : bool
        Write nothing.
    """
    if quiet:
        yield
        return
    _titles.append(title)
    note_output()
    over, started = threading.Event(), time.monotonic()
    if len(_titles) == 1:
        threading.Thread(target=_watch, args=(over, started), daemon=True).start()
    try:
        yield
    finally:
        over.set()
        _titles.pop()


def _watch(over: threading.Event, started: float) -> None:
    while not over.wait(LOOK):
        if time.monotonic() - _last_written >= SILENCE and _titles:
            sys.stderr.write(f"{_titles[-1]}: at work, {time.monotonic() - started:.0f} s so far\n")
            sys.stderr.flush()
            note_output()
