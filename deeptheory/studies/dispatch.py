"""The study that a configuration file describes."""

from collections.abc import Sequence
from pathlib import Path

from deeptheory.runs.configuration import read_config, read_table
from deeptheory.studies.comparison import compare
from deeptheory.studies.confirmation import confirm
from deeptheory.studies.sweep import read_sweep, run_sweep


def simulate(
    path: Path, overrides: Sequence[str], directory: Path, command: str, jobs: int = 1, quiet: bool = False
) -> None:
    """Run the study of a file, or the rest of it.

    Parameters
    ----------
    path : Path
        With a table ``[sweep]`` it is a sweep, with ``[compare]`` a comparison, otherwise a confirm study.
    overrides : sequence of str
        As in `read_config`.
    directory : Path
        Of the study; existing results are kept.
    command, jobs, quiet
        As in `confirm`.

    Raises
    ------
    InputError, RunFailed
        As the study itself.
    """
    tables = read_table(path)
    if "sweep" in tables:
        run_sweep(read_sweep(path, overrides), directory, jobs, quiet)
    elif "compare" in tables:
        compare(read_config(path, overrides), directory, jobs, quiet)
    else:
        confirm(read_config(path, overrides), directory, command, jobs, quiet)
