"""`deeptheory report` and `figure`: the HTML report of a run, a study or a sweep, and single figures."""

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


class _FigureCommand(click.Command):
    """A command whose help ends with the names of all figures; they are imported only for the help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from deeptheory.reports.figures import FIGURES

        with formatter.section("Figures"):
            formatter.write_dl([(figure.name, f"from runs of {figure.study}") for figure in FIGURES.values()])


@click.command(cls=_FigureCommand)
@click.argument("name")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Directory for the figure, or a file that ends in .pdf, .png or .svg; by default the current directory.",
)
@click.option(
    "--format",
    "picture_format",
    type=click.Choice(("pdf", "png", "svg")),
    help="Of the file in a directory; pdf by default.",
)
@click.option("--stage", help="Stage of the field matrix, or of the heads; the last by default.")
@click.option(
    "--filter", "filter_index", type=click.IntRange(min=0), help="Filter of the field matrix, or head."
)
def figure(
    name: str,
    runs: tuple[Path, ...],
    out: Path,
    picture_format: str | None,
    stage: str | None,
    filter_index: int | None,
) -> None:
    """Draw a figure from one or several runs (or a study's directory).

    \b
    Examples:
      deeptheory figure accuracy-and-snr out/demo --format svg
      deeptheory figure field-matrix out/one --stage stage5 --filter 5 --out filter-5.png
      deeptheory figure attention-maps out/cct-glyphs/seed-0 --stage heads2
      deeptheory figure networks-with-depth out/glyphs out/cct-glyphs
    """
    configure(None)
    from deeptheory.reports import drawing

    click.echo(drawing.draw(name, runs, out, stage, filter_index, picture_format))
