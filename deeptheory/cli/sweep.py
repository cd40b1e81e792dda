"""`deeptheory sweep`: runs over a grid of options and seeds, how far they are, and what came out."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from deeptheory.cli.options import (
    COUNT,
    EXIT_NEGATIVE,
    JSON,
    command_line,
    configure,
    print_summary,
    study_options,
    with_data,
    with_seeds,
)
from deeptheory.errors import InputError

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
    from deeptheory.studies import sweep

    print_summary(sweep.status(directory), as_json)


@click.command()
@DIRECTORY
@JSON
def collect(directory: Path, as_json: bool) -> None:
    """Write the results of the finished members as tables (CSV and HDF5) and print their means over seeds.

    \b
    Example:  deeptheory sweep collect out/labels
    """
    configure(None)
    from deeptheory.studies import sweep

    print_summary(sweep.collect(directory), as_json)


def slurm_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What Slurm is asked for, by the names of sbatch."""
    for name, kind, text in (
        ("--array-size-limit", COUNT, "members per array; the site's MaxArraySize by default."),
        ("--max-running", COUNT, "members at a time; as many as Slurm lets run by default."),
        ("--cpus-per-task", COUNT, "processors and threads of a member; 1 by default."),
        ("--mem", str, "memory of a member, 4G; the site's by default."),
        ("--time", str, "limit until a member is requeued, 2:00:00; the partition's by default."),
        ("--partition", str, "partition; the site's by default."),
    ):
        command = click.option(name, type=kind, help=f"With --slurm: {text}")(command)
    text = (
        "Write an sbatch script for what is not done, and submit it; with --dry-run print it, write nothing."
    )
    return click.option("--slurm", is_flag=True, help=text)(command)


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
@slurm_options
def sweep(
    config: Path,
    data_path: Path | None,
    overrides: tuple[str, ...],
    out: Path,
    seeds: int | None,
    jobs: int,
    index: int | None,
    dry_run: bool,
    as_json: bool,
    threads: int | None,
    quiet: bool,
    slurm: bool,
    **asked_of_slurm: Any,
) -> None:
    """Run a configuration over a grid of options and seeds.

    CONFIG has a table [sweep]: steps (the last step of every run), a table [sweep.grid] of options and lists of
    values, and [[sweep.variants]], sets of options with a name. Every combination with every seed is a member, a
    run directory in --out. What is done is not computed again; what failed is tried again and stops no other.
    Exit code 1 when a member failed, or another process holds it.

    With --slurm every member that is not done becomes an element of a job array; told to stop before its time
    limit, it goes back to the queue and goes on later. The script is kept in --out, in slurm/. Members that cannot
    be computed, as --dry-run says, are left out and named, with exit code 1.

    \b
    Examples:
      deeptheory sweep label-scaling --out out/labels --jobs 2
      deeptheory sweep label-scaling --out out/labels --dry-run
      deeptheory sweep label-scaling --out out/labels --index 0
      deeptheory sweep label-scaling --out out/labels --slurm --time 2:00:00 --mem 4G
      deeptheory sweep status out/labels
      deeptheory sweep collect out/labels
    """
    elsewhere = {"--index": index, "--threads": threads, "--jobs": jobs if jobs != 1 else None}
    _refuse_mixed(slurm, elsewhere, asked_of_slurm)
    environment = dict(os.environ)  # before the threads of this machine are set in it
    configure(threads)
    from deeptheory import tables
    from deeptheory.studies import estimate_sweep, read_sweep, run_member, run_sweep
    from deeptheory.studies.sweep import SlurmOptions, array_scripts, submit_sweep
    from deeptheory.system import threadpools

    asked = read_sweep(config, with_data(with_seeds(overrides, seeds), data_path))
    if slurm:
        size = asked_of_slurm.pop("array_size_limit")
        options = SlurmOptions(**{name: value for name, value in asked_of_slurm.items() if value is not None})
        configure(
            min(options.cpus_per_task, threadpools.threads())
        )  # as a node computes, as far as this one can
        needed = estimate_sweep(asked, out, quiet=quiet)
        if dry_run:
            made = array_scripts(asked, out, options, size, command_line(), needed)
        else:
            made = submit_sweep(asked, out, options, environment, size, command_line(), needed)
        print_summary(made, as_json)
        if made.numbers["left_out"]:
            sys.exit(EXIT_NEGATIVE)
        return
    if dry_run:
        if index is not None:
            raise InputError(
                "--dry-run", "a whole sweep", f"--index {index}", "leave the one or the other out"
            )
        print_summary(estimate_sweep(asked, out, jobs, quiet), as_json)
        return
    if index is None:
        swept = run_sweep(asked, out, jobs, quiet)
        text, numbers, complete = swept.text, swept.numbers, swept.complete
    else:
        state = run_member(asked, out, index, quiet)
        text, numbers, complete = state.text, state.numbers, state.state == "done"
    click.echo(tables.as_json(numbers) if as_json else text)
    if not complete:
        sys.exit(EXIT_NEGATIVE)


def _refuse_mixed(slurm: bool, local: dict[str, Any], of_slurm: dict[str, Any]) -> None:
    """Options of a sweep on this machine beside --slurm, and the other way round."""
    for name, value in local.items() if slurm else ():
        if value is not None:
            do = "Slurm takes --cpus-per-task and --max-running"
            raise InputError(name, "a sweep on this machine", "--slurm beside it", do)
    for name, value in () if slurm else of_slurm.items():
        if value is not None:
            raise InputError(f"--{name.replace('_', '-')}", "--slurm beside it", "none")
