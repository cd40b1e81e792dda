"""`deeptheory confirm`, `demo` and `compare`: the same configuration over several seeds."""

import sys
from pathlib import Path

import click

from deeptheory.cli.options import (
    COUNT,
    EXIT_NEGATIVE,
    RUN,
    command_line,
    configure,
    machine_options,
    print_summary,
    read_study,
    study_options,
)


@click.command()
@study_options
def confirm(
    config: Path,
    data_path: Path | None,
    overrides: tuple[str, ...],
    out: Path,
    seeds: int | None,
    jobs: int,
    dry_run: bool,
    as_json: bool,
    threads: int | None,
    quiet: bool,
) -> None:
    """The whole chain over several seeds: every step, the verdicts and the figures.

    Exit code 0 when every claim is supported, 1 otherwise.

    \b
    Examples:
      deeptheory confirm demo --out out/demo
      deeptheory confirm cifar10-desktop --data cifar-10-batches-bin --out out/cifar10
      deeptheory confirm glyphs --out out/glyphs --jobs 2 --dry-run
    """
    configure(threads)
    from deeptheory import tables
    from deeptheory.reports import drawing
    from deeptheory.runs import estimate, steps_until
    from deeptheory.studies import check_directories
    from deeptheory.studies import confirm as run_study
    from deeptheory.system.heartbeats import heartbeat

    asked = read_study(config, data_path, overrides, seeds)
    if dry_run:
        runs = check_directories(asked, out)
        print_summary(estimate(asked, steps_until("retrain"), runs, min(jobs, len(runs)), quiet), as_json)
        return
    study = run_study(asked, out, command_line(), jobs, quiet)
    with heartbeat("figures", quiet):
        figures = drawing.draw_all(study.runs, study.directory / "figures")
    if as_json:
        click.echo(tables.as_json({**study.numbers, "figures": [str(path) for path in figures]}))
    else:
        click.echo(study.text)
        click.echo("\nRun files: " + " ".join(str(run.results) for run in study.runs))
        click.echo("Figures:   " + " ".join(str(path) for path in figures))
        click.echo(f"\n{study.in_words(figures)}")
    if not study.confirmed:
        sys.exit(EXIT_NEGATIVE)


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("out/demo"),
    show_default=True,
    help="Directory to make, or to continue in.",
)
@click.option("--jobs", type=COUNT, default=2, show_default=True, help="Runs at a time.")
@machine_options
@click.pass_context
def demo(context: click.Context, out: Path, jobs: int, threads: int | None, quiet: bool) -> None:
    """The whole chain on rendered glyphs, six networks: two to five minutes on two cores.

    The same as 'deeptheory confirm demo'. Exit code 0 when every claim is supported, 1 otherwise.

    \b
    Example:  deeptheory demo --out out/demo
    """
    from deeptheory.runs.packaged import packaged_file

    context.invoke(confirm, config=packaged_file("demo"), out=out, jobs=jobs, threads=threads, quiet=quiet)


@click.command()
@study_options
def compare(
    config: Path,
    data_path: Path | None,
    overrides: tuple[str, ...],
    out: Path,
    seeds: int | None,
    jobs: int,
    dry_run: bool,
    as_json: bool,
    threads: int | None,
    quiet: bool,
) -> None:
    """Compare criteria of pruning: accuracy after retraining against density, paired over seeds.

    Every seed is trained once and pruned by every criterion of [compare] at every density; what is there is not
    computed again, and criteria, densities and seeds can be added. The tables and the figure are written to --out.

    \b
    Example:  deeptheory compare pruning-study --out out/pruning --jobs 2
    """
    configure(threads)
    from deeptheory import tables
    from deeptheory.reports import plot
    from deeptheory.runs import estimate
    from deeptheory.studies import check_directories, comparison_steps, soundness
    from deeptheory.studies import compare as run_comparison

    asked = read_study(config, data_path, overrides, seeds)
    if dry_run:
        runs = check_directories(asked, out)
        print_summary(estimate(asked, comparison_steps(asked), runs, min(jobs, len(runs)), quiet), as_json)
        return
    compared = run_comparison(asked, out, jobs, quiet)
    found, margin = compared.comparison, compared.runs[0].config.judge.margin
    alone = "-alone" if compared.runs[0].config.compare.alone else ""
    figure = compared.directory / f"accuracy-against-density{alone}.pdf"
    chance = soundness.chance(compared.runs[0])
    drawn = plot.draw_accuracy_against_density(
        found.unpruned, found.accuracy, margin, chance, found.predicted
    )
    plot.save(drawn, figure)
    if as_json:
        click.echo(tables.as_json({**compared.numbers, "figure": str(figure)}))
    else:
        click.echo(f"{compared.text}\n\nFigure: {figure}")


@click.command()
@RUN
@machine_options
def compare_criteria(run: Path, threads: int | None, quiet: bool) -> None:
    """One seed of `deeptheory compare`: prune a run by every criterion of its configuration at every density.

    \b
    Example:  deeptheory compare-criteria out/pruning/seed-0
    """
    configure(threads)
    from deeptheory.runs import Run, steps

    steps.compare(Run(run, quiet))
