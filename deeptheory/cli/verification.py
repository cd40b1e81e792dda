"""`deeptheory runs`: the files of runs."""

import sys
from pathlib import Path

import click

from deeptheory.cli.options import EXIT_NEGATIVE, JSON, configure, print_summary


@click.group()
def runs() -> None:
    """The files of runs.

    \b
    Example:  deeptheory runs verify out/labels
    """


@runs.command()
@click.argument("path", type=click.Path(path_type=Path))
@JSON
def verify(path: Path, as_json: bool) -> None:
    """Compare every data set of a run, or of all runs below a directory, with its checksum.

    Nothing is changed. Exit code 1 if a file is damaged.

    \b
    Example:  deeptheory runs verify out/labels
    """
    configure(None)
    from deeptheory.runs.verification import verify as verify_runs

    found = verify_runs(path)
    print_summary(found, as_json)
    if found.numbers["damaged"]:
        sys.exit(EXIT_NEGATIVE)
