"""The commands of hypotheses: list them, test them on runs, and see what their numbers depend on."""

import sys
from pathlib import Path

import click

from deeptheory.cli.options import (
    COUNT,
    EXIT_NEGATIVE,
    JSON,
    command_line,
    configure,
    load_plugins,
    machine_options,
    print_summary,
    with_data,
)
from deeptheory.errors import InputError

SEEDS = 5  # of what is simulated on the spot


@click.command()
@click.argument("directories", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@JSON
@machine_options
def sensitivity(directories: tuple[Path, ...], as_json: bool, threads: int | None, quiet: bool) -> None:
    """Measure again at other thresholds, with labels in other orders, and on parts of the split measured.

    RUN is a measured run, or a study, which stands for all its runs. Tables of clusters, noise and SNR by stage,
    and of their trends. It is a sensitivity, not a choice: verdicts are those at the threshold of the run.

    \b
    Example:  deeptheory sensitivity out/demo
    """
    configure(threads)
    from deeptheory.runs import steps
    from deeptheory.runs.discovery import find_runs
    from deeptheory.studies import sensitivity_summary

    runs = [run for directory in directories for run in find_runs(directory)]
    for run in runs:
        run.quiet = quiet
        steps.sensitivity(run)
    print_summary(sensitivity_summary.sensitivity(runs), as_json)


@click.group()
def hypothesis() -> None:
    """Claims of the field with a decision rule each, fixed before any data are seen.

    \b
    Examples:
      deeptheory hypothesis list
      deeptheory hypothesis test afcc-no-loss --runs out/demo
    """


FAMILY = click.option("--family", help="All hypotheses of a family, such as paper, in place of names.")


@hypothesis.command("list")
@click.argument("names", nargs=-1)
@FAMILY
@JSON
def list_hypotheses(names: tuple[str, ...], family: str | None, as_json: bool) -> None:
    """Show all hypotheses, those named or those of a family: claim, source, statistic, null, rule and power.

    \b
    Examples:
      deeptheory hypothesis list H7
      deeptheory hypothesis list --family paper
    """
    load_plugins()
    from deeptheory import judge, tables
    from deeptheory.studies import hypotheses

    chosen = hypotheses.named(names or (() if family else (hypotheses.ALL,)), family)
    if as_json:
        click.echo(tables.as_json({"hypotheses": hypotheses.descriptions(chosen)}))
    else:
        click.echo(judge.hypothesis_list(chosen))


def _refuse_without_simulate(*given: tuple[str, object]) -> None:
    """Refuse options that only a study to be made reads: verdicts on finished runs are by the options of these."""
    for name, value in given:
        if value:
            do = "finished runs are judged by the options that they were made with"
            raise InputError(name, "--simulate beside it", "none", do)


@hypothesis.command("test")
@click.argument("names", nargs=-1)
@FAMILY
@click.option(
    "--runs",
    "directories",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Study, sweep or run to test on; repeatable.",
)
@click.option(
    "--simulate",
    "study",
    type=click.Path(path_type=Path),
    help="Configuration of a study to be made first, or finished, in the one directory of --runs.",
)
@click.option("--data", "data_path", type=click.Path(path_type=Path), help="Data files of --simulate.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="TABLE.OPTION=VALUE",
    help="Override an option of --simulate.",
)
@click.option("--jobs", type=COUNT, show_default="1", help="Runs of --simulate at a time.")
@click.option(
    "--seeds", type=COUNT, show_default=f"{SEEDS}", help="Seeds of H13 and H14, which simulate on the spot."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Directory for the verdicts and a figure of each."
)
@JSON
@machine_options
def test_hypotheses(
    names: tuple[str, ...],
    family: str | None,
    directories: tuple[Path, ...],
    study: Path | None,
    data_path: Path | None,
    overrides: tuple[str, ...],
    jobs: int | None,
    seeds: int | None,
    out: Path | None,
    as_json: bool,
    threads: int | None,
    quiet: bool,
) -> None:
    """Test hypotheses by name or number, those of a family, or all of them, on finished runs.

    What is tested in one call is corrected together (Holm). With --family each is tested on the first of --runs
    that has what it needs; those passed over that lack a step or are damaged are named. H13 and H14 compare theory
    with a simulation of seconds to minutes and need no runs.
    Exit code 0 when every one is supported, 1 otherwise.

    \b
    Examples:
      deeptheory hypothesis test H6 H7 H8 H9 --runs out/pruning --out out/verdicts
      deeptheory hypothesis test --family paper --runs out/cifar100 --runs out/labels-cifar100 --runs out/dilution
      deeptheory hypothesis test committee
      deeptheory hypothesis test H15 --simulate controls --runs out/controls --jobs 2
      deeptheory hypothesis test all --runs out/demo --runs out/label-scaling --runs out/controls
    """
    configure(threads)
    from deeptheory import judge, tables
    from deeptheory.reports import plot
    from deeptheory.store import paths
    from deeptheory.studies import dispatch, hypotheses

    chosen = hypotheses.named(names, family)
    if seeds is not None and not any(map(hypotheses.needs_no_runs, chosen)):
        found = ", ".join(f"H{of.number}" for of in chosen)
        do = "runs bring their own seeds; more of them: judge.seeds of the study"
        raise InputError("--seeds", "H13 or H14 among the hypotheses", found, do)
    if study is not None:
        if len(directories) != 1:
            found = f"{len(directories)} directories"
            raise InputError("--simulate", "one directory, by --runs, to make the study in", found)
        asked = with_data(overrides, data_path)
        dispatch.simulate(study, asked, directories[0], command_line(), jobs or 1, quiet)
    else:
        _refuse_without_simulate(("--set", overrides), ("--data", data_path), ("--jobs", jobs))
    judged = hypotheses.judge_on_runs(
        chosen, directories, command_line(), range(seeds or SEEDS), quiet, first_fit=family is not None
    )
    if out is not None:
        hypotheses.write(judged, out / paths.HYPOTHESES, out / paths.HYPOTHESES_TEXT)
        plot.draw_hypotheses(judged, out)
    if as_json:
        click.echo(tables.as_json({"hypotheses": hypotheses.numbers(judged)}))
    else:
        click.echo(judge.verdict_table(judged))
    if not all(one.confirmed for one in judged):
        sys.exit(EXIT_NEGATIVE)
