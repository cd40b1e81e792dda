"""Several runs side by side on this machine, one process each."""

import subprocess
import sys
import time
from collections.abc import Sequence

from deeptheory import machine
from deeptheory.errors import RunFailed
from deeptheory.runs.run import Run

POLL = 0.2  # seconds between looks at the processes


def run_side_by_side(runs: Sequence[Run], jobs: int, quiet: bool, command: str = "chain") -> None:
    """Give every run to a command, `jobs` at a time, each with its share of the threads.

    Parameters
    ----------
    runs : sequence of Run
    jobs : int
        Largest number of processes at a time.
    quiet : bool
        No progress on standard error.
    command : str
        Of `deeptheory`, with a run as its argument: by default it goes through all its steps.

    Raises
    ------
    RunFailed
        A process failed; the others are stopped, and resume when the call is repeated.
    """
    threads = max(1, machine.threads() // jobs)
    waiting = list(runs)
    running: dict[subprocess.Popen[bytes], Run] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                run = waiting.pop(0)
                running[subprocess.Popen(_command(command, run, threads, quiet))] = run
            time.sleep(POLL)
            for process in [process for process in running if process.poll() is not None]:
                run = running.pop(process)
                if process.returncode:
                    raise RunFailed(str(run.directory), process.returncode)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def _command(name: str, run: Run, threads: int, quiet: bool) -> list[str]:
    command = [sys.executable, "-m", "deeptheory", name, str(run.directory), "--threads", str(threads)]
    return [*command, "--quiet"] if quiet else command
