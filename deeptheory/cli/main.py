"""The command line: read arguments, call the other rooms, print. Nothing is computed here."""

import contextlib
import os
import sys
from collections.abc import Sequence

import click

import deeptheory
from deeptheory.cli import (
    bench,
    branching,
    configurations,
    export,
    hypotheses,
    imports,
    pruning,
    report,
    run_steps,
    studies,
    sweep,
    theory,
    verification,
)
from deeptheory.cli.options import EXIT_BAD_INPUT, EXIT_NEGATIVE, add_plugin_option
from deeptheory.errors import InputError, RunFailed
from deeptheory.system import interruption, standard_streams


def main() -> None:
    """Entry point.

    Exit code 0 when done, 1 on a negative result or a failure, 2 on bad input, 75 when asked to stop.
    """
    try:
        with interruption.listening():
            _require_text(sys.argv[1:])
            sys.exit(commands(standalone_mode=False))
    except InputError as error:
        standard_streams.say(f"error: {error}\n")
        sys.exit(EXIT_BAD_INPUT)
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            error.show()
        sys.exit(EXIT_BAD_INPUT)
    except RunFailed as error:
        standard_streams.say(f"error: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:  # nobody reads the results, which are stored
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_NEGATIVE)
    except OSError as error:
        where, found = error.filename or "a file", error.strerror or str(error)
        do = "check its permissions and the space left on its disk"
        refused = InputError(str(where), "a path that can be read or written", found, do)
        standard_streams.say(f"error: {refused}\n")
        sys.exit(EXIT_BAD_INPUT)
    except interruption.Interrupted as stopped:
        interruption.say_stopped(stopped)
        sys.exit(interruption.EXIT_STOPPED)


def _require_text(arguments: Sequence[str]) -> None:
    """Refuse paths that neither run files nor messages can hold."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise InputError("argument", "text in UTF-8", ascii(argument), "rename the file") from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(deeptheory.__version__, prog_name="deeptheory")
def commands() -> None:
    """Statistical mechanics of trained networks: measure single filters, predict what can go, confirm it.

    \b
    All of it on rendered glyphs, in minutes:  demo
    The chain:  train -> measure -> predict -> prune -> retrain     (each on one run directory)
    All of it, over several seeds, with verdicts:  confirm
    Criteria against each other, over densities and seeds:  compare
    Configurations that come with the package, to be named in place of a file:  config list, config show
    Runs over a grid of options and seeds:  sweep
    Another analysis of the same training:  branch; --set of measure, predict, prune, retrain, chain
    What pruning saves:  compact, cost             (on a retrained run)
    Whether run files are whole:  runs verify
    A claim and its verdict:  hypothesis list, hypothesis test, sensitivity
    All of it in one HTML file, filter by filter:  report

    Networks from elsewhere, and back:  import, export
    """


for command in (
    *run_steps.COMMANDS,
    branching.branch,
    studies.confirm,
    studies.demo,
    studies.compare,
    studies.compare_criteria,
    configurations.config,
    sweep.sweep,
    hypotheses.hypothesis,
    hypotheses.sensitivity,
    pruning.compact,
    pruning.cost,
    report.report,
    report.figure,
    theory.theory,
    bench.bench,
    imports.import_network,
    export.export,
    verification.runs,
):
    commands.add_command(command)
    if command is not bench.bench:
        add_plugin_option(command)
