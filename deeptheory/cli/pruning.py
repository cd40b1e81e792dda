"""`deeptheory compact` and `cost`: what pruning saves."""

from pathlib import Path

import click

from deeptheory.cli.options import JSON, RUN, configure, machine_options, print_summary

ARMS = click.option(
    "--arm",
    "arms",
    multiple=True,
    help="Arm of the run, such as afcc; repeatable. By default all pruned arms; of an imported network that is "
    "not retrained, as-imported, which cuts what its zeros disconnect.",
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
      deeptheory compact out/theirs --arm as-imported
    """
    configure(threads)
    from deeptheory.runs import Run, steps
    from deeptheory.runs.summaries import compaction

    opened = Run(run, quiet)
    steps.compact(opened, arms)
    print_summary(compaction.compacted(opened, arms), as_json)


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
    print_summary(compaction.costed(opened, arms), as_json)
