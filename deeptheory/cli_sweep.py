"""`deeptheory sweep`: runs over a grid of options and seeds, how far they are, and what came out."""

import sys
from pathlib import Path
from typing import Any

import click

from deeptheory.cli_options import (
    EXIT_NEGATIVE,
    JSON,
    configure,
    print_report,
    study_options,
    with_data,
    with_seeds,
)

DIRECTORY = click.argument("directory", type=click.Path(path_type=Path))


@click.command()
@DIRECTORY
@JSON
def status(directory: Path, as_json: bool) -> None:
    """Show how many members of a sweep are done, partial, failed and missing, and which.

    \b
    Example:  deeptheory sweep status out/labels
    """
    configure(None)
    from deeptheory.runs import sweep

    print_report(sweep.status(directory), as_json)


@click.command()
@DIRECTORY
@JSON
def collect(directory: Path, as_json: bool) -> None:
    """Write the results of the finished members as tables (CSV and HDF5) and print their means over seeds.

    \b
    Example:  deeptheory sweep collect out/labels
    """
    configure(None)
    from deeptheory.runs import sweep

    print_report(sweep.collect(directory), as_json)


class CommandWithOthers(click.Command):
    """A command on a file, and others by name in the file's place."""

    others = {"status": status, "collect": collect}  # noqa: RUF012

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """That of the other command where its name comes first."""
        if args and args[0] in self.others:
            return self.others[args[0]].make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=CommandWithOthers)
@study_options
@click.option(
    "--index", type=click.IntRange(min=0), help="Compute only this member, counted from 0, in this process."
)
def sweep(
    config: Path,
    data_path: Path | None,
    overrides: tuple[str, ...],
    out: Path,
    seeds: int | None,
    jobs: int,
    index: int | None,
    as_json: bool,
    threads: int | None,
    quiet: bool,
) -> None:
    """Run a configuration over a grid of options and seeds.

    CONFIG has a table [sweep]: steps (the last step of every run), a table [sweep.grid] of options and lists of
    values, and [[sweep.variants]], sets of options with a name. Every combination with every seed is a member, a
    run directory in --out. What is done is not computed again; what failed is tried again and stops no other.
    Exit code 1 when a member failed.

    \b
    Examples:
      deeptheory sweep simulations/label-scaling.toml --out out/labels --jobs 2
      deeptheory sweep simulations/label-scaling.toml --out out/labels --index 0
      deeptheory sweep status out/labels
      deeptheory sweep collect out/labels
    """
    configure(threads)
    from deeptheory.runs import read_sweep, report, run_member, run_sweep

    asked = read_sweep(config, with_data(with_seeds(overrides, seeds), data_path))
    if index is None:
        swept = run_sweep(asked, out, jobs, quiet)
        text, numbers, failed = swept.text, swept.numbers, swept.failed
    else:
        state = run_member(asked, out, index, quiet)
        text, numbers, failed = state.text, state.numbers, state.state == "failed"
    click.echo(report.as_json(numbers) if as_json else text)
    if failed:
        sys.exit(EXIT_NEGATIVE)
