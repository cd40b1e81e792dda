"""The command line of the scripts here: results in, ``--out`` for the figure."""

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from deeptheory.errors import InputError
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


class Results(dict[str, Any]):
    """A table of the JSON file of a simulation; an entry that an older version did not write is asked for."""

    def __init__(self, table: Any, path: Path) -> None:
        super().__init__(table)
        self.path = path

    def __missing__(self, name: str) -> Any:
        raise InputError(f"'{name}' in {self.path}", "an entry", "none", "run its simulation again")


def read_results(path: Path) -> Any:
    """The JSON file that a simulation wrote.

    Raises
    ------
    InputError
        No such file, or no JSON; and where an entry is missing, when it is read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_hook=lambda table: Results(table, path))
    except (OSError, ValueError) as error:
        raise InputError("results", "a JSON file of a simulation", f"{path}: {error}") from error


def save_figure(figure: Figure, out: Path, name: str) -> None:
    """Save a figure as ``out/NAME.pdf``, or as `out` if that names a file, and print the path."""
    path = plot.picture_path(out, name)
    make_directory(path.parent)
    plot.save(figure, path)
    print(path)
