"""Figures to files: PDF for papers, PNG for the README."""

import io
from pathlib import Path

import matplotlib.style
from matplotlib.figure import Figure

from deeptheory.errors import InputError
from deeptheory.reports.plot.notebook_figure import STYLE
from deeptheory.store.atomic_files import replacing_file

# Dots per inch; in a PDF this concerns the images alone, fine enough there for matrices of 1000 labels.
DPI = {".pdf": 600, ".png": 200}
SUFFIXES = tuple(DPI)


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure to a PDF or PNG file, in full or not at all.

    The PDF carries no date: the same figure drawn twice gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : str or pathlib.Path
        Ends in `.pdf` or `.png` (200 dots per inch). An existing file is replaced.

    Raises
    ------
    InputError
        For another suffix, or when the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in DPI:
        raise InputError(f"figure file '{path}'", "a name ending in .pdf or .png", f"'{path.suffix}'")
    if not path.parent.is_dir():
        raise InputError(
            f"figure file '{path}'",
            "an existing directory",
            f"no directory '{path.parent}'",
            "create it first",
        )

    image = io.BytesIO()
    metadata = {"CreationDate": None} if suffix == ".pdf" else None
    with matplotlib.style.context(STYLE, after_reset=True):
        figure.savefig(image, format=suffix[1:], dpi=DPI[suffix], metadata=metadata)

    try:
        with replacing_file(path) as temporary:
            temporary.write_bytes(image.getvalue())
    except OSError as error:
        raise InputError(
            f"figure file '{path}'",
            "a place that can be written to",
            error.strerror or str(error),
            "choose another output directory",
        ) from error
