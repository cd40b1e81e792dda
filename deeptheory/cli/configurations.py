"""`deeptheory config`: the configurations that come with the package."""

import click


@click.group()
def config() -> None:
    """Configurations that come with the package; every command takes their names in place of a file.

    \b
    Examples:
      deeptheory config list
      deeptheory config show demo > mine.toml
    """


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
