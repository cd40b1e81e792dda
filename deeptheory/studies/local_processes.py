"""Several runs in parallel on this machine, one process each."""

import subprocess
import sys
import time
from collections.abc import Sequence

from deeptheory.errors import RunFailed
from deeptheory.runs import plugin_records
from deeptheory.runs.run import Run
from deeptheory.system import interruption, parenthood, threadpools

POLL = 0.2  # seconds between looks at the processes


def run_side_by_side(
    runs: Sequence[Run],
    jobs: int,
    quiet: bool,
    command: Sequence[str] = ("chain",),
    keep_going: bool = False,
) -> dict[Run, int]:
    """Give every run to a command, `jobs` at a time, each with its share of the threads.

    The processes end with this one, however it ends (`parenthood`).

    Parameters
    ----------
    runs : sequence of Run
    jobs : int
        Largest number of processes at a time.
    quiet : bool
        No progress on standard error.
    command : sequence of str
        Command of `deeptheory` with its options; the run is its argument. By default all steps of the run.
    keep_going : bool
        A process that fails does not stop the others.

    Returns
    -------
    dict of Run to int
        The runs whose process failed and its exit code, minus the number of the signal that ended it; empty
        unless `keep_going`. A process that was asked to stop has not failed.

    Raises
    ------
    RunFailed
        Without `keep_going`, when a process failed; the others are stopped, and resume when the call is
        repeated. They are stopped in the same way by an interruption.
    """
    threads = max(1, threadpools.threads() // jobs)
    waiting, failed = list(runs), {}
    running: dict[subprocess.Popen[bytes], Run] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                run = waiting.pop(0)
                words = _command(command, run, threads, quiet)
                running[subprocess.Popen(words, env=parenthood.of_child())] = run
            time.sleep(POLL)
            for process in [process for process in running if process.poll() is not None]:
                run = running.pop(process)
                if process.returncode and not keep_going:
                    raise RunFailed(str(run.directory), process.returncode)
                if process.returncode not in (0, interruption.EXIT_STOPPED):
                    failed[run] = process.returncode
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
    return failed


def _command(words: Sequence[str], run: Run, threads: int, quiet: bool) -> list[str]:
    command = [sys.executable, "-m", "deeptheory", *words, str(run.directory), "--threads", str(threads)]
    command += plugin_records.arguments([run.config.plugins])
    return [*command, "--quiet"] if quiet else command
