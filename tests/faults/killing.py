"""Real processes of the command line that are killed, and how the tests wait for them."""

import subprocess
import sys
import time

LIMIT = 300  # seconds after which a process that should end is a failure of the test


def start(*arguments, **options):
    """One command as a process of its own."""
    command = [sys.executable, "-m", "deeptheory", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **options
    )


def finished(process, limit=LIMIT):
    """Exit code and output of a process."""
    out, _ = process.communicate(timeout=limit)
    return process.returncode, out


def kill_after(process, seconds):
    """SIGKILL once the time is over, if it has not ended by then; whether it was killed."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate(timeout=LIMIT)
    return process.returncode == -9


def kill_in_a_write(process, directory, number, patience=60.0):
    """SIGKILL while the so manieth file of a directory is being written; whether the process was still there."""
    until, seen = time.monotonic() + patience, set()
    while process.poll() is None and time.monotonic() < until:
        seen |= {path.name for path in directory.glob(".*.part")}
        if len(seen) >= number:
            break
        time.sleep(0.001)
    process.kill()
    process.communicate(timeout=LIMIT)
    return process.returncode == -9
