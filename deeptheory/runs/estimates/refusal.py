"""Runs for which the memory is not there are refused before anything is written."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from deeptheory.errors import InputError
from deeptheory.runs.configuration import Config
from deeptheory.runs.estimates.memory_law import sizes_of
from deeptheory.runs.network_sources import blueprint_in
from deeptheory.runs.run import Run
from deeptheory.runs.steps import check_options
from deeptheory.system import memory

DO = "take a smaller width or batch, fewer labels, probe.inputs or --jobs; --dry-run shows the parts"


def require_memory(
    runs: Iterable[tuple[Path, Config]],
    steps: Sequence[str],
    jobs: int = 1,
    quiet: bool = False,
    keep_going: bool = False,
) -> None:
    """Refuse runs that take more than 80 % of the free memory where it is least.

    Parameters
    ----------
    runs : iterable of (Path, Config)
        Directories, which need not exist, and configurations. Runs whose last step is done take nothing.
    steps : sequence of str
        What is to be computed, as in `estimate`.
    jobs : int
        Runs computed at a time, each in a process of its own when they are several.
    quiet : bool
        No progress on standard error.
    keep_going : bool
        Runs whose configuration or data is refused are left to fail on their own.

    Raises
    ------
    InputError
        With both sizes, for the `jobs` runs that need most together; or as `check_options` or `sizes_of` raise it.
    """
    needed = []
    for directory, config in runs:
        if _done(directory, steps[-1]):
            continue
        try:
            check_options(config, steps)
            sizes = sizes_of(config, quiet, blueprint_in(directory))
        except InputError:
            if keep_going:
                continue
            raise
        taken = min(memory.process_memory("VmRSS") or 0, sizes.program) if jobs == 1 else 0
        size, step = max((sizes.peak(step), step) for step in steps)
        needed.append((size - taken, step, directory))
    needed = sorted(needed, reverse=True)[:jobs]
    if needed:
        _, step, directory = needed[0]
        others = f" and {len(needed) - 1} runs beside it" if len(needed) > 1 else ""
        what = f"memory for step '{step}' of {directory}{others}"
        memory.require_memory(what, sum(size for size, *_ in needed), DO)


def _done(directory: Path, step: str) -> bool:
    with contextlib.suppress(InputError):  # no run, or a damaged file, which is reported where it is read
        return Run(directory, quiet=True).done(step)
    return False
