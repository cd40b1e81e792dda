"""Requests to stop: after SIGINT, SIGTERM or SIGUSR2 a long computation ends with its results stored.

Computations stop only where they ask for requests: an exception at an arbitrary place, as Python raises on SIGINT,
can leave NumPy as a different one.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from deeptheory.system import standard_streams

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
EXIT_STOPPED = 75  # EX_TEMPFAIL of sysexits.h: the same command goes on

_received: str | None = None
_deferred = 0


class Interrupted(BaseException):
    """The process was asked to stop; the same call continues from what is stored.

    Like `KeyboardInterrupt` it is not an `Exception`: code that handles failures must not catch it.
    """


def requested() -> bool:
    """Whether this process was asked to stop."""
    return _received is not None


def check() -> None:
    """Raise `Interrupted` if this process was asked to stop: to be called where no result is incomplete."""
    if _received is not None:
        raise Interrupted(f"stopped by {_received}")


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Turn the signals into `Interrupted` in the block: at once, or where a `deferred` block asks or ends.

    The first signal counts, others change nothing, but for a second SIGINT (Ctrl-C), which ends the process on
    the spot. A file that is being written then does not replace the last complete one.
    """
    global _received
    # A process in the background may ignore signals; it continues to.
    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _receive) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _received = None


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let the block finish before `Interrupted` is raised; a long one calls `check` on its way."""
    global _deferred
    _deferred += 1
    try:
        yield
    finally:
        _deferred -= 1
    if not _deferred:
        check()


def say_stopped(stopped: Interrupted) -> None:
    """Tell what ended the process, and how to go on."""
    standard_streams.say(f"{stopped}; run the same command again to go on\n")


def _receive(number: int, _: FrameType | None) -> None:
    global _received
    if signal.getsignal(signal.SIGINT) is _receive:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if _received is not None:
        return
    _received = signal.Signals(number).name
    if _deferred:
        # Not through sys.stderr: the signal may have come in the middle of a write to it.
        text = f"{_received}: stopping at the next step; a second Ctrl-C stops at once\n"
        with contextlib.suppress(OSError):
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, text.encode())
    else:
        check()
