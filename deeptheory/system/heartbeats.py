"""A sign of life for work that has nothing to report for a while, such as compiling."""

import contextlib
import threading
import time
from collections.abc import Iterator

from deeptheory.system import standard_streams

SILENCE = 4.5  # seconds after which a line is written
LOOK = 0.25  # seconds between looks
LEAST = 1.0  # seconds that a block is at work before it says so

_last_written = time.monotonic()
_blocks: list[object] = []  # those under way, the innermost last


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
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(title, over, time.monotonic()), daemon=True)
    _blocks.append(over)
    try:
        watcher.start()
        yield
    finally:
        _blocks.remove(over)
        over.set()
        if watcher.ident is not None:
            watcher.join()


def _watch(title: str, over: threading.Event, started: float) -> None:
    while not over.wait(LOOK):
        now = time.monotonic()
        if now - max(_last_written, started - SILENCE + LEAST) >= SILENCE and _blocks[-1:] == [over]:
            standard_streams.say(f"{title}: at work, {now - started:.0f} s so far\n")
            note_output()
