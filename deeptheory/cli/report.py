"""`deeptheory report`: the HTML report of a run, a study or a sweep."""

from pathlib import Path

import click

from deeptheory.cli.options import configure


@click.command()
@click.argument("directory", metavar="RUN_OR_SWEEP", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The HTML file to write.")
@click.option("--stages", help="Stages whose filters are included, separated by commas; all by default.")
def report(directory: Path, out: Path, stages: str | None) -> None:
    """Write the report of a run, a study or a sweep: verdicts, tables, figures and all filters.

    One HTML file that needs no network and no other file. It shows the field matrix of every filter, its clusters
    with the names of their labels, its noise and shares, and what every arm keeps of it.

    \b
    Examples:
      deeptheory report out/demo --out demo.html
      deeptheory report out/one --out one.html --stages stage9,stage10
    """
    configure(None)
    from deeptheory.reports import html

    written = html.write_report(directory, out, stages.split(",") if stages else ())
    click.echo(f"{written.path}: {written.size / 1e6:.1f} MB, filters of {', '.join(written.stages)}")
