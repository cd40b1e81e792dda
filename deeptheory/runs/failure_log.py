"""Errors of runs, written to their `log.txt` and read from it."""

import re
import textwrap
import traceback
from pathlib import Path

from deeptheory.runs.run import Run
from deeptheory.store import paths

MARK = "failed: "
LOGGED = re.compile(r"\d{4}-\d\d-\d\dT\S+ (?P<text>.*)")  # a line of `Run.record`; tracebacks are indented


def keep(run: Run, error: Exception) -> None:
    """Log an error in one line with its traceback below."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    trace = textwrap.indent("".join(traceback.format_exception(error)).rstrip(), "  ")
    run.record(f"{MARK}{text}\n{trace}")


def keep_exit(run: Run, code: int) -> None:
    """Log the end of a process that could not log it itself; a negative `code` is minus the number of a signal."""
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    run.record(f"{MARK}the process ended {how}")


def last(directory: Path) -> str | None:
    """The error of the last attempt at a run, in one line; None if it did not fail."""
    log = directory / paths.LOG
    if not log.is_file():
        return None
    logged = [match["text"] for match in map(LOGGED.fullmatch, _lines(log)) if match]
    return logged[-1].removeprefix(MARK) if logged and logged[-1].startswith(MARK) else None


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()
