"""What is in a directory that was named as a run and is none, for error messages."""

from collections.abc import Sequence
from pathlib import Path

from deeptheory.errors import InputError
from deeptheory.store import paths

SHOWN = 6  # names in a message
MAKE = "make a run with 'deeptheory train CONFIG --out DIR'"


def no_run(directory: Path) -> InputError:
    """The error for a directory that is no run: it says what is there, and what to do."""
    found, do = _found(directory)
    return InputError("run", f"a directory with {paths.CONFIG}", found, do)


def runs_inside(directory: Path) -> list[Path]:
    """The run directories in a directory, by name.

    Raises
    ------
    InputError
        A directory has results and no configuration: a run that would be passed over.
    """
    found = {path.parent for path in directory.glob(f"*/{paths.CONFIG}")}
    if lost := sorted({path.parent for path in directory.glob(f"*/{paths.RESULTS}")} - found):
        do = f"restore it, the entry '{paths.CONFIG_TEXT}' of {paths.RESULTS} has its text, or move the run away"
        raise InputError(f"run {lost[0]}", f"{paths.CONFIG} beside {paths.RESULTS}", "none", do)
    return sorted(found)


def _found(directory: Path) -> tuple[str, str]:
    if directory.is_file():
        return f"the file {directory}", f"name its directory: {directory.parent}"
    if not directory.is_dir():
        there = next((above for above in directory.parents if above.is_dir()), None)
        around = f"; in {there}: {_listed(there) or 'nothing'}" if there else ""
        return f"no directory {directory}{around}", MAKE
    if inside := runs_inside(directory):
        kind = "sweep" if (directory / paths.SWEEP).is_file() else "study"
        names = _shortened([path.name for path in inside])
        found = f"{directory}, a {kind} of {len(inside)} run{'s' * (len(inside) > 1)}: {names}"
        return found, f"name one of them: {inside[0]}"
    held = _listed(directory)
    return (f"{directory}, which holds {held}" if held else f"{directory}, which is empty"), MAKE


def _listed(directory: Path) -> str:
    try:
        names = sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))
    except OSError as error:
        return f"what cannot be read ({error.strerror})"
    return _shortened(names)


def _shortened(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
