"""Arguments and options that several commands share."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from deeptheory.errors import InputError
from deeptheory.store.toml import toml_value
from deeptheory.system import interruption
from deeptheory.tables import as_json as json_text

if TYPE_CHECKING:  # both load what takes long
    from deeptheory.nn import Group
    from deeptheory.runs import Config

RUN = click.argument("run", type=click.Path(path_type=Path))
COUNT, POSITIVE = click.IntRange(min=1), click.FloatRange(min=0, min_open=True)
EXIT_NEGATIVE, EXIT_BAD_INPUT = 1, 2
SHARE = click.FloatRange(min=0, max=1, min_open=True)
DRY_RUN = click.option(
    "--dry-run",
    is_flag=True,
    help="Print memory, disk and time that it would take, the times from a few steps; compute and write nothing.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print numbers as JSON.")
OUT = click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Directory to make, or to continue in."
)
SET = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="TABLE.OPTION=VALUE",
    help="Override one option of the configuration; repeatable.",
)
SET_LATER = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="TABLE.OPTION=VALUE",
    help="Change an option that nothing done in the run depends on; repeatable.",
)
DATA = click.option(
    "--data",
    "data_path",
    type=click.Path(path_type=Path),
    help="Data files; overrides data.source and data.path.",
)


class Printable(Protocol):
    """What commands print: a `Summary`, or an estimate."""

    @property
    def text(self) -> str: ...

    @property
    def numbers(self) -> dict[str, Any]: ...


def machine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--threads` and `--quiet`, for every command that computes."""
    command = click.option("--quiet", is_flag=True, help="No progress on standard error.")(command)
    return click.option(
        "--threads",
        type=click.IntRange(min=1),
        help="Threads to use; all that this process may use by default.",
    )(command)


def config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The configuration, a file or the name of a packaged one, and what overrides it."""
    return click.argument("config", type=click.Path(path_type=Path))(DATA(SET(command)))


def configure(threads: int | None) -> None:
    """Set the threads, then load plugins; refuse a command that MPI started several times."""
    from deeptheory.system import mpi_launch, process_setup

    mpi_launch.require_one_process()
    process_setup.configure(threads)
    load_plugins()


def _note_plugins(context: click.Context, _: click.Parameter, files: tuple[str, ...]) -> None:
    context.meta[PLUGINS] = files


PLUGINS = "deeptheory.plugins"  # in the context of a command: the files of --plugin


def add_plugin_option(command: click.Command) -> None:
    """Give `--plugin` to a command, and to all commands of a group; `configure` then loads what it names."""
    for inner in (*getattr(command, "commands", {}).values(), *getattr(command, "others", {}).values()):
        add_plugin_option(inner)
    if not isinstance(command, click.Group) or command.invoke_without_command:
        text = "Python file with criteria, hypotheses, networks, ... of your own (docs/extending.md); repeatable."
        option = click.Option(
            ["--plugin"],
            multiple=True,
            metavar="FILE.py",
            expose_value=False,
            callback=_note_plugins,
            help=text,
        )
        command.params.append(option)


def load_plugins() -> None:
    """Execute the files of `--plugin`, and import what is installed; after `process_setup.configure`."""
    from deeptheory import plugins

    plugins.load_installed()
    context = click.get_current_context(silent=True)  # none in a process that is not the command line's
    for file in context.meta.get(PLUGINS, ()) if context else ():
        plugins.load(file)


@contextlib.contextmanager
def together(threads: int | None) -> Iterator["Group"]:
    """The `nn.Group` of the processes that compute a command together, with the threads of each.

    They end together: an error in one ends all, with its message and its exit code.
    """
    from deeptheory.system import mpi_launch, process_setup

    if mpi_launch.place()[1] == 1:
        process_setup.configure(threads)
    from deeptheory import nn

    group = nn.processes()
    try:
        if group.size > 1 and threads is not None:
            process_setup.configure(threads)
        load_plugins()
        yield group
    except BaseException as error:
        if group.stopped and isinstance(error, interruption.Interrupted):  # in all of them
            if group.rank > 0:
                sys.exit(interruption.EXIT_STOPPED)
            raise
        if group.rank > 0:
            time.sleep(mpi_launch.GRACE)
        group.abort_at_exit(_exit_code(error))
        raise


def _exit_code(error: BaseException) -> int:
    if isinstance(error, interruption.Interrupted):
        return interruption.EXIT_STOPPED
    return EXIT_BAD_INPUT if isinstance(error, InputError | OSError) else EXIT_NEGATIVE


def command_line() -> str:
    """The command as it was given, to be stored with its results."""
    return " ".join(["deeptheory", *sys.argv[1:]])


def print_summary(summary: Printable, as_json: bool) -> None:
    """Print the text of a summary, or its numbers as JSON."""
    click.echo(json_text(summary.numbers) if as_json else summary.text)


def study_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A configuration, and what every study over seeds takes."""
    options = (
        config_options,
        OUT,
        click.option("--seeds", type=COUNT, help="Number of seeds; overrides judge.seeds."),
        click.option(
            "--jobs", type=COUNT, default=1, help="Runs at a time, each with its share of the threads."
        ),
        DRY_RUN,
        JSON,
        machine_options,
    )
    for option in reversed(options):
        command = option(command)
    return command


def read_study(path: Path, data_path: Path | None, overrides: tuple[str, ...], seeds: int | None) -> "Config":
    """The configuration that `study_options` names."""
    return read_configuration(path, data_path, with_seeds(overrides, seeds))


def read_configuration(path: Path, data_path: Path | None, overrides: tuple[str, ...]) -> "Config":
    """The configuration that `config_options` names."""
    from deeptheory.runs.configuration import read_config

    return read_config(path, with_data(overrides, data_path))


def with_seeds(overrides: tuple[str, ...], seeds: int | None) -> tuple[str, ...]:
    """The overrides with that of `--seeds`."""
    return overrides if seeds is None else (*overrides, f"judge.seeds={seeds}")


def with_data(overrides: tuple[str, ...], data_path: Path | None) -> tuple[str, ...]:
    """The overrides with those of `--data`, which `--set` may override."""
    if data_path is None:
        return overrides
    return 'data.source="files"', f"data.path={toml_value(str(data_path.resolve()))}", *overrides
