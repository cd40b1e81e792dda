"""The commands of one run: its steps one by one or as a chain, and what is in it."""

from pathlib import Path

import click

from deeptheory.cli.options import (
    DRY_RUN,
    JSON,
    OUT,
    RUN,
    SET_LATER,
    config_options,
    configure,
    machine_options,
    print_summary,
    read_configuration,
    together,
)
from deeptheory.errors import InputError


@click.command()
@config_options
@OUT
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
      deeptheory train demo --out out/one --seed 3 --set train.epochs=5
      deeptheory train demo --out out/one --dry-run
      mpiexec -n 2 deeptheory train demo --out out/one
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
                print_summary(estimate(asked, ("train",), [out], quiet=quiet), as_json)
            else:
                require_memory([(out, asked)], ("train",), quiet=quiet)
                steps.train(Run.create(out, asked, quiet), group)
        steps.train_along(group)  # where the first process comes last and ends it


def _step(name: str, text: str) -> click.Command:
    """The command of a step after training."""

    @click.command(name, help=f"{text}\n\n\b\nExample:  deeptheory {name} out/one")
    @RUN
    @SET_LATER
    @JSON
    @machine_options
    def command(
        run: Path, overrides: tuple[str, ...], as_json: bool, threads: int | None, quiet: bool
    ) -> None:
        configure(threads)
        from deeptheory.runs import Run, steps
        from deeptheory.runs.option_changes import change_options
        from deeptheory.runs.summaries import step_summaries

        opened = Run(run, quiet)
        change_options(opened, overrides, name)
        getattr(steps, name)(opened)
        print_summary(step_summaries.SUMMARIES[name](opened), as_json)

    return command


@click.command()
@RUN
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Accepted loss as a share of all inputs, 0.005 for half a point: find the largest prunable set instead.",
)
@SET_LATER
@JSON
@machine_options
def predict(
    run: Path,
    tolerance: float | None,
    overrides: tuple[str, ...],
    as_json: bool,
    threads: int | None,
    quiet: bool,
) -> None:
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
    from deeptheory.runs.option_changes import change_options
    from deeptheory.runs.summaries import prediction_summaries

    opened = Run(run, quiet)
    change_options(opened, overrides, "predict" if tolerance is None else "budget")
    if tolerance is None:
        steps.predict(opened)
        print_summary(prediction_summaries.predicted(opened), as_json)
    else:
        steps.budget(opened, tolerance)
        print_summary(prediction_summaries.budgeted(opened, tolerance), as_json)


@click.command()
@RUN
@click.option("--until", default="retrain", show_default=True, metavar="STEP", help="The last step.")
@SET_LATER
@machine_options
def chain(run: Path, until: str, overrides: tuple[str, ...], threads: int | None, quiet: bool) -> None:
    """Take a run through all steps that are not done yet, whether begun or not.

    \b
    Examples:
      deeptheory chain out/one --until measure
      deeptheory chain out/one --set retrain.epochs=8
    """
    configure(threads)
    from deeptheory.runs import Run, steps
    from deeptheory.runs.option_changes import change_options

    opened = Run(run, quiet)
    steps.check_until(until)
    change_options(opened, overrides, until, chained=True)
    steps.chain(opened, until)


@click.command()
@click.argument("directory", metavar="RUN_OR_STUDY", type=click.Path(path_type=Path))
@JSON
def inspect(directory: Path, as_json: bool) -> None:
    """Show a run in a screenful: what it is, what is done, every stage, every arm. Or list a study or a sweep.

    \b
    Examples:
      deeptheory inspect out/demo/seed-0
      deeptheory inspect out/demo
    """
    configure(None)
    from deeptheory.studies.overview import overview

    print_summary(overview(directory), as_json)


COMMANDS = (
    train,
    _step(
        "measure",
        "Measure every stage of a trained run: probe, fields, clusters, noise, SNR, specialisation.",
    ),
    predict,
    _step(
        "prune", "Make the masks of AFCC and its controls at equal density and test them without retraining."
    ),
    _step("retrain", "Retrain every arm under its mask, and the unpruned network equally long."),
    chain,
    inspect,
)
