"""`deeptheory config`: all options, and the configurations that come with the package."""

from pathlib import Path

import click

from deeptheory.cli.options import SET, load_plugins


@click.group(invoke_without_command=True)
@click.option(
    "--for",
    "command",
    default="",
    metavar="COMMAND",
    help="Only what it reads: train, measure, predict, prune, retrain, confirm, compare or sweep.",
)
@click.option(
    "--diff",
    "file",
    type=click.Path(path_type=Path),
    help="Show what a file, or a packaged configuration by its name, changes against the defaults instead.",
)
@SET
@click.pass_context
def config(context: click.Context, command: str, file: Path | None, overrides: tuple[str, ...]) -> None:
    """Print every option with its default, unit, range and meaning, as a configuration that can be saved.

    Configurations that come with the package are listed and shown by name, which every command takes in place of a
    file.

    \b
    Examples:
      deeptheory config --for confirm > mine.toml
      deeptheory config --set network.name=vgg6 --set train.optimiser=adam
      deeptheory config --diff demo
      deeptheory config list
      deeptheory config show demo > mine.toml
    """
    if context.invoked_subcommand is None:
        load_plugins()
        from deeptheory.studies import option_listing

        asked = (
            option_listing.list_changes(file, overrides, command)
            if file
            else option_listing.list_options(overrides, command)
        )
        click.echo(asked)


@config.command("list")
def list_configurations() -> None:
    """Names, and what each is for."""
    from deeptheory import tables
    from deeptheory.runs import packaged

    names = packaged.configuration_names()
    rows = [(name, packaged.described(packaged.packaged_file(name))) for name in names]
    click.echo("\n".join(tables.text_table(("configuration", "what for"), rows, left=(0, 1))))


@config.command()
@click.argument("name")
def show(name: str) -> None:
    """Print the file of one, with the command it is for; save it to change it."""
    from deeptheory.runs import packaged

    click.echo(packaged.packaged_file(name).read_text(encoding="utf-8"), nl=False)
