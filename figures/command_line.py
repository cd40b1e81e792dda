"""The command line of the scripts here: results in, ``--out`` for the figure."""

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from deeptheory.reports import plot
from deeptheory.runs.run import make_directory


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with ``--out``."""
    made = argparse.ArgumentParser(description=description)
    suffixes = ", ".join(f".{name}" for name in plot.FORMATS)
    made.add_argument(
        "--out",
        type=Path,
        default=Path("figures"),
        help=f"directory of the PDF, or a file that ends in {suffixes}",
    )
    return made


def results_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with ``--out`` and one file of results."""
    made = parser(description)
    made.add_argument("results", type=Path, help="JSON file written by the simulation")
    return made


def read_results(path: Path) -> Any:
    """The JSON file that a simulation wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def save_figure(figure: Figure, out: Path, name: str) -> None:
    """Save a figure as ``out/NAME.pdf``, or as `out` if that names a file, and print the path."""
    path = plot.picture_path(out, name)
    make_directory(path.parent)
    plot.save(figure, path)
    print(path)
