"""`deeptheory branch`: another analysis of a training."""

from pathlib import Path

import click

from deeptheory.cli.options import JSON, RUN, SET, configure, print_summary


@click.command()
@RUN
@click.argument("new", type=click.Path(path_type=Path))
@SET
@JSON
@click.option("--quiet", is_flag=True, help="No messages on standard error.")
def branch(run: Path, new: Path, overrides: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Make NEW, a run that shares the training of RUN and goes on with other options of the later steps.

    Results that depend on no changed option are copied: the probes, for example, whatever becomes of their fields,
    and the unpruned arm, whatever is pruned. The others are left to be done in NEW, and end with the bits of a run
    that was made with these options from the start. RUN is only read. Without --set, NEW is a copy of the training
    and of all that is done; what is half done is not copied.

    RUN may be a study: all of its runs are branched, and confirm or compare go on with --out NEW and the same
    --set. Options that the training reads (seed, data, network, train, prune.rewind_epoch) need another training.

    \b
    Examples:
      deeptheory branch out/one out/one-at-0.4 --set prune.threshold=0.4
      deeptheory branch out/demo out/demo-longer --set retrain.epochs=8
    """
    configure(None)
    from deeptheory.studies import branching

    print_summary(branching.branch(run, new, overrides, quiet), as_json)
