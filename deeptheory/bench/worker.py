"""The process of one side: it reads requests from standard input and writes replies, one a line.

The first line is a `Task`; then each line is a number of steps, answered by a `Reply`.
"""

import importlib
import io
import os
import signal
import sys

import msgspec

from deeptheory.bench.cases import Task
from deeptheory.errors import InputError
from deeptheory.system import memory


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The seconds of every step, and the memory of the process in bytes.

    Attributes
    ----------
    seconds : tuple of float
    peak : int or None
        Largest resident size so far; None where the system does not report it.
    imported : int or None
        Resident size after the imports, before the network was made.
    refused : tuple of str or None
        The arguments of an `InputError`, in place of results.
    """

    seconds: tuple[float, ...] = ()
    peak: int | None = None
    imported: int | None = None
    refused: tuple[str, str, str, str] | None = None


def main() -> None:
    """Serve one parent until it closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    replies = io.FileIO(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # output of libraries must not mix with the replies
    try:
        task = msgspec.json.decode(sys.stdin.readline(), type=Task)
        side = importlib.import_module(task.module)
        side.start(task.setting.threads)
        imported = memory.process_memory("VmRSS")
        step = getattr(side, task.step)(task)
        for line in sys.stdin:
            seconds = tuple(step() for _ in range(int(line)))
            _send(replies, Reply(seconds=seconds, peak=memory.process_memory("VmHWM"), imported=imported))
    except InputError as error:
        _send(replies, Reply(refused=(error.what, error.expected, error.found, error.do)))


def _send(replies: io.RawIOBase, reply: Reply) -> None:
    replies.write(msgspec.json.encode(reply) + b"\n")
