"""`deeptheory compare`, `compact` and `cost`: which criterion prunes best, and what pruning saves."""

from pathlib import Path

import click

from deeptheory.cli.options import (
    JSON,
    RUN,
    configure,
    machine_options,
    print_report,
    read_study,
    study_options,
)

ARMS = click.option(
    "--arm",
    "arms",
    multiple=True,
    help="Arm of the run, such as afcc; repeatable. All pruned arms by default.",
)


@click.command()
@RUN
@ARMS
@JSON
@machine_options
def compact(run: Path, arms: tuple[str, ...], as_json: bool, threads: int | None, quiet: bool) -> None:
    """Cut out of the retrained networks what their masks disconnect.

    Filters that nothing reads and filters without input go; the kernels left are stored alone where they are few.
    The compact network has the logits of the masked one to 1e-5, which is checked. It is written to
    RUN/compact-ARM.h5; nn.load_model reads it.

    \b
    Examples:
      deeptheory compact out/one
      deeptheory compact out/one --arm afcc
    """
    configure(threads)
    from deeptheory.runs import Run, steps
    from deeptheory.runs.summaries import compaction

    opened = Run(run, quiet)
    steps.compact(opened, arms)
    print_report(compaction.compacted(opened, arms), as_json)


@click.command()
@RUN
@ARMS
@JSON
@machine_options
def cost(run: Path, arms: tuple[str, ...], as_json: bool, threads: int | None, quiet: bool) -> None:
    """Compare dense, masked and compact network: parameters, bytes, time and energy per image.

    The three compute in turn, half a minute for every arm, measured anew at every call: worth something only when
    nothing else runs. Energy is that of the counters of the processor (RAPL) where they can be read, otherwise an
    estimate, and labelled as the one or the other.

    \b
    Example:  deeptheory cost out/one --arm afcc
    """
    configure(threads)
    from deeptheory.runs import Run, steps
    from deeptheory.runs.summaries import compaction

    opened = Run(run, quiet)
    steps.cost(opened, arms)
    print_report(compaction.costed(opened, arms), as_json)


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
    Example:  deeptheory compare simulations/pruning-study.toml --out out/pruning --jobs 2
    """
    configure(threads)
    from deeptheory import tables
    from deeptheory.reports import plot
    from deeptheory.runs import estimate, steps
    from deeptheory.studies import check_directories, comparison_steps
    from deeptheory.studies import compare as run_comparison

    asked = read_study(config, data_path, overrides, seeds)
    if dry_run:
        steps.check_criteria(asked)
        check_directories(asked, out)
        runs = asked.judge.seeds
        print_report(estimate(asked, comparison_steps(asked), runs, min(jobs, runs), quiet), as_json)
        return
    compared = run_comparison(asked, out, jobs, quiet)
    found, margin = compared.comparison, compared.runs[0].config.judge.margin
    alone = "-alone" if compared.runs[0].config.compare.alone else ""
    figure = compared.directory / f"accuracy-against-density{alone}.pdf"
    plot.save(plot.draw_accuracy_against_density(found.unpruned, found.accuracy, margin), figure)
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
