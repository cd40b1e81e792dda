"""The command line: parse, call the other rooms, print. Nothing is computed here."""

import sys
from pathlib import Path

import click

import deeptheory
from deeptheory.cli import bench, export, hypotheses, imports, pruning, report, sweep, verification
from deeptheory.cli.options import (
    DRY_RUN,
    EXIT_BAD_INPUT,
    EXIT_NEGATIVE,
    JSON,
    RUN,
    command_line,
    config_options,
    configure,
    machine_options,
    print_report,
    read_configuration,
    read_study,
    study_options,
    together,
)
from deeptheory.errors import InputError, RunFailed
from deeptheory.system import interruption


def main() -> None:
    """Entry point.

    Exit code 0 when done, 1 on a negative result or a failure, 2 on bad input, 75 when asked to stop.
    """
    try:
        with interruption.listening():
            sys.exit(commands(standalone_mode=False))
    except InputError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_BAD_INPUT)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_BAD_INPUT)
    except RunFailed as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        where, found = error.filename or "a file", error.strerror or str(error)
        do = "check its permissions and the space left on its disk"
        click.echo(
            f"error: {InputError(str(where), 'a path that can be read or written', found, do)}", err=True
        )
        sys.exit(EXIT_BAD_INPUT)
    except interruption.Interrupted as stopped:
        click.echo(f"{stopped}; run the same command again to go on", err=True)
        sys.exit(interruption.EXIT_STOPPED)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(deeptheory.__version__, prog_name="deeptheory")
def commands() -> None:
    """Statistical mechanics of trained networks: measure single filters, predict what can go, confirm it.

    \b
    The chain:  train -> measure -> predict -> prune -> retrain     (each on one run directory)
    All of it, over several seeds, with verdicts:  confirm
    Criteria against each other, over densities and seeds:  compare
    Runs over a grid of options and seeds:  sweep
    What pruning saves:  compact, cost             (on a retrained run)
    Whether run files are whole:  runs verify
    A claim and its verdict:  hypothesis list, hypothesis test, sensitivity
    All of it in one HTML file, filter by filter:  report

    Networks from elsewhere, and back:  import, export
    """


@commands.command()
@config_options
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Run directory to make or resume."
)
@click.option("--seed", type=click.IntRange(min=0), help="Overrides the seed of the configuration.")
@DRY_RUN
@click.option("--json", "as_json", is_flag=True, help="Print the numbers of --dry-run as JSON.")
@machine_options
def train(
    config: Path,
    data_path: Path | None,
    overrides: tuple[str, ...],
    out: Path,
    seed: int | None,
    dry_run: bool,
    as_json: bool,
    threads: int | None,
    quiet: bool,
) -> None:
    """Train a network from a configuration into a run directory; processes of mpiexec train it together.

    \b
    Examples:
      deeptheory train simulations/demo.toml --out out/one --seed 3 --set train.epochs=5
      deeptheory train simulations/demo.toml --out out/one --dry-run
      mpiexec -n 2 deeptheory train simulations/demo.toml --out out/one
    """
    if as_json and not dry_run:
        do = "use 'deeptheory inspect RUN'"
        raise InputError("--json", "--dry-run beside it", "no numbers to print", do)
    overrides = overrides if seed is None else (*overrides, f"seed={seed}")
    with together(threads) as group:
        from deeptheory.runs import Run, estimate, require_memory, steps

        if group.rank == 0:
            asked = read_configuration(config, data_path, overrides)
            if dry_run:
                Run.check(out, asked)
                print_report(estimate(asked, ("train",), 1, quiet=quiet), as_json)
            else:
                require_memory([(out, asked)], ("train",), quiet=quiet)
                steps.train(Run.create(out, asked, quiet), group)
        steps.train_along(group)  # where the first process comes last and ends it


def _step(name: str, text: str) -> None:
    """One command per step after training: they all act on a run directory."""

    @commands.command(name, help=f"{text}\n\n\b\nExample:  deeptheory {name} out/one")
    @RUN
    @JSON
    @machine_options
    def command(run: Path, as_json: bool, threads: int | None, quiet: bool) -> None:
        configure(threads)
        from deeptheory.runs import Run, steps
        from deeptheory.runs.summaries import step_summaries

        opened = Run(run, quiet)
        getattr(steps, name)(opened)
        print_report(step_summaries.SUMMARIES[name](opened), as_json)


_step("measure", "Measure every stage of a trained run: probe, fields, clusters, noise, SNR, specialisation.")


@commands.command()
@RUN
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Accepted loss of accuracy, 0.005 for half a point: find the largest prunable set instead.",
)
@JSON
@machine_options
def predict(run: Path, tolerance: float | None, as_json: bool, threads: int | None, quiet: bool) -> None:
    """Predict the prunable parameters and the accuracy without them; stored before any retraining.

    Without --tolerance for the arms of the configuration: AFCC and its controls. With it by the SNR budget, for
    each layer and the whole network: connections go in order of the noise that they cost the margins, as far as
    the predicted loss after retraining allows.

    \b
    Examples:
      deeptheory predict out/one
      deeptheory predict out/one --tolerance 0.005
    """
    configure(threads)
    from deeptheory.runs import Run, steps
    from deeptheory.runs.summaries import step_summaries

    opened = Run(run, quiet)
    if tolerance is None:
        steps.predict(opened)
        print_report(step_summaries.predicted(opened), as_json)
    else:
        steps.budget(opened, tolerance)
        print_report(step_summaries.budgeted(opened, tolerance), as_json)


_step("prune", "Make the masks of AFCC and its controls at equal density and test them without retraining.")
_step("retrain", "Retrain every arm under its mask, and the unpruned network equally long.")


commands.add_command(bench.bench)
commands.add_command(export.export)
commands.add_command(imports.import_network)
commands.add_command(pruning.compact)
commands.add_command(pruning.cost)
commands.add_command(pruning.compare)
commands.add_command(pruning.compare_criteria)
commands.add_command(hypotheses.hypothesis)
commands.add_command(hypotheses.sensitivity)
commands.add_command(report.report)
commands.add_command(verification.runs)
commands.add_command(sweep.sweep)


@commands.command()
@RUN
@click.option("--until", default="retrain", show_default=True, metavar="STEP", help="The last step.")
@machine_options
def chain(run: Path, until: str, threads: int | None, quiet: bool) -> None:
    """Take a run through all steps that are not done yet, whether begun or not.

    \b
    Example:  deeptheory chain out/one --until measure
    """
    configure(threads)
    from deeptheory.runs import Run, steps

    steps.chain(Run(run, quiet), until)


@commands.command()
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

    Exit code 1 when a claim is not supported.

    \b
    Examples:
      deeptheory confirm simulations/demo.toml --out out/demo
      deeptheory confirm simulations/cifar10-desktop.toml --data cifar-10-batches-bin --out out/cifar10
      deeptheory confirm simulations/glyphs.toml --out out/glyphs --jobs 2 --dry-run
    """
    configure(threads)
    from deeptheory import tables
    from deeptheory.reports import drawing
    from deeptheory.runs import estimate, steps_until
    from deeptheory.studies import check_directories
    from deeptheory.studies import confirm as run_study

    asked = read_study(config, data_path, overrides, seeds)
    if dry_run:
        check_directories(asked, out)
        runs = asked.judge.seeds
        print_report(estimate(asked, steps_until("retrain"), runs, min(jobs, runs), quiet), as_json)
        return
    study = run_study(asked, out, command_line(), jobs, quiet)
    figures = drawing.draw_all(study.runs, study.directory / "figures")
    if as_json:
        click.echo(tables.as_json({**study.numbers, "figures": [str(path) for path in figures]}))
    else:
        click.echo(study.text)
        click.echo("\nRun files: " + " ".join(str(run.results) for run in study.runs))
        click.echo("Figures:   " + " ".join(str(path) for path in figures))
    if study.negative:
        sys.exit(EXIT_NEGATIVE)


@commands.command()
@RUN
@JSON
def inspect(run: Path, as_json: bool) -> None:
    """Show one run in a screenful: what it is, what is done, every stage, every arm.

    \b
    Example:  deeptheory inspect out/demo/seed-0
    """
    configure(None)
    from deeptheory.runs import Run
    from deeptheory.runs.summaries import step_summaries

    print_report(step_summaries.overview(Run(run, quiet=True)), as_json)


class _FigureCommand(click.Command):
    """A command whose help ends with the names of all figures; they are imported only for the help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from deeptheory.reports.figures import FIGURES

        with formatter.section("Figures"):
            formatter.write_dl([(figure.name, f"from runs of {figure.study}") for figure in FIGURES.values()])


@commands.command(cls=_FigureCommand)
@click.argument("name")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("figures"), help="Directory for the PDF."
)
@click.option("--stage", help="Stage of the field matrix; the last one by default.")
@click.option("--filter", "filter_index", type=click.IntRange(min=0), help="Filter of the field matrix.")
def figure(name: str, runs: tuple[Path, ...], out: Path, stage: str | None, filter_index: int | None) -> None:
    """Draw a figure from one or several runs (or a study's directory).

    \b
    Example:  deeptheory figure accuracy-and-snr out/demo --out figures
    """
    configure(None)
    from deeptheory.reports import drawing

    click.echo(drawing.draw(name, runs, out, stage=stage, filter_index=filter_index))


@commands.command()
@click.argument("name")
@click.argument("values", nargs=-1, metavar="[PARAMETER=NUMBER]...")
@JSON
def theory(name: str, values: tuple[str, ...], as_json: bool) -> None:
    """Evaluate a formula of the theory; NAME list shows them all.

    Several numbers with commas between them give a row for every combination; where the list shows =a,b,... or
    =row,row,... they are one list or one square matrix, row by row.

    \b
    Examples:
      deeptheory theory list
      deeptheory theory annealed-capacity kept=0.1,0.5
      deeptheory theory I2 covariance=1,0.3,0.3,1
    """
    from deeptheory.cli import theory

    if name == "list" and not values:
        click.echo(theory.listing(as_json))
    else:
        click.echo(theory.evaluation(name, values, as_json))
