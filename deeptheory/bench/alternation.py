"""Processes that compute in turn, never two at a time."""

import contextlib
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import msgspec

from deeptheory.bench.cases import OURS, Task
from deeptheory.bench.worker import Reply
from deeptheory.errors import InputError

BLOCK_SECONDS = 0.5  # a side computes at least this long in each turn
PAUSE_SECONDS = 0.05  # until the waiting threads of the previous side sleep
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
WAITING_VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


class Child:
    """The process of one side; a context manager that ends it.

    Parameters
    ----------
    name : str
    task : Task
    """

    def __init__(self, name: str, task: Task) -> None:
        self.name, self.steps = name, 1
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from deeptheory.bench.worker import main; main()"],
            env=environment(task, os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        assert self.process.stdin
        assert self.process.stdout
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        self._write(msgspec.json.encode(task))

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:  # it may be in the middle of a block
            self.process.kill()
        self._stdin.close()
        self._stdout.close()
        self.process.wait()

    def warm_up(self) -> None:
        """Compute two steps, so that everything is compiled, and choose the number of steps of a block."""
        self.run(1)
        seconds = self.run(1).seconds[0]
        self.steps = max(1, math.ceil(BLOCK_SECONDS / max(seconds, 1e-6)))

    def run(self, steps: int) -> Reply:
        """Compute that many steps and wait for the reply."""
        self._write(str(steps).encode())
        line = self._stdout.readline()
        if not line:
            code = self.process.wait()
            raise InputError(
                f"the process of '{self.name}'",
                "the times of its steps",
                f"its end with exit code {code}",
                "its own message is above; with code -9 it ran out of memory: use a smaller batch or width",
            )
        reply = msgspec.json.decode(line, type=Reply)
        if reply.refused:
            raise InputError(*reply.refused)
        return reply

    def _write(self, line: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended, which the missing reply shows
            self._stdin.write(line + b"\n")


def environment(task: Task, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of a side's process: its number of threads, and no settings of this package."""
    ours = task.module == OURS
    # Waiting threads of PyTorch may spin, as by default.
    dropped = THREAD_VARIABLES if ours else (*THREAD_VARIABLES, *WAITING_VARIABLES)
    kept = {name: value for name, value in inherited.items() if name not in dropped}
    return kept if ours else kept | dict.fromkeys(THREAD_VARIABLES, str(task.setting.threads))


@dataclass(frozen=True)
class Times:
    """What one side's process reported.

    Attributes
    ----------
    blocks : list of tuples of float
        Seconds of every step, round by round.
    peak, imported : int or None
        Bytes, as in `Reply`.
    """

    blocks: list[tuple[float, ...]]
    peak: int | None
    imported: int | None


def alternate(tasks: Mapping[str, Task], rounds: int, report: Callable[[int], None]) -> dict[str, Times]:
    """Let every side compute a block of steps, in turn, `rounds` times.

    Parameters
    ----------
    tasks : mapping of str to Task
        By the name of the side.
    rounds : int
    report : callable
        Called with the number of finished blocks, of ``rounds * len(tasks)``.

    Returns
    -------
    dict of Times

    Raises
    ------
    InputError
        A side cannot do its task, or its process ends.
    """
    with ExitStack() as stack:
        children = []
        for name, task in tasks.items():
            children.append(stack.enter_context(Child(name, task)))
            children[-1].warm_up()  # before the next process starts, which takes processor time too
        replies: dict[str, list[Reply]] = {name: [] for name in tasks}
        for turn in range(rounds):
            for number, child in enumerate(children, start=1):
                time.sleep(PAUSE_SECONDS)
                replies[child.name].append(child.run(child.steps))
                report(turn * len(children) + number)
    return {
        name: Times([reply.seconds for reply in blocks], blocks[-1].peak, blocks[-1].imported)
        for name, blocks in replies.items()
    }
