"""Standard error and output that may be closed: progress that nobody can read stops no work."""

import contextlib
import os
import sys
from typing import TextIO


def say(text: str, stream: TextIO | None = None) -> None:
    """Write to a stream, standard error by default; what cannot be written is lost."""
    stream = sys.stderr if stream is None else stream
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):
            stream.write(text)
            stream.flush()


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody watches a stream; False if it is closed."""
    with contextlib.suppress(OSError, ValueError):
        return stream is not None and stream.isatty()
    return False


def open_closed() -> None:
    """Open the standard streams that the process was started without: files would get their numbers.

    Libraries write messages to stream 2, whatever it is by then.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        with contextlib.suppress(OSError):
            os.fstat(number)
            continue
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))
