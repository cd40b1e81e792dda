"""Figures to files: PDF for papers, PNG and SVG for pages."""

import io
from pathlib import Path

import matplotlib.style
from matplotlib.figure import Figure

from deeptheory.errors import InputError
from deeptheory.reports.plot.notebook_figure import STYLE
from deeptheory.store.atomic_files import replacing_file

# Dots per inch; in a PDF this concerns the images alone, fine enough there for matrices of 1000 labels.
DPI = {".pdf": 600, ".png": 200, ".svg": 600}
UNDATED: dict[str, dict[str, str | None]] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
FORMATS = tuple(suffix[1:] for suffix in DPI)
KNOWN = f"a name ending in {', '.join(DPI)}"


def picture_path(out: Path, name: str, picture_format: str | None = None) -> Path:
    """The file that a figure goes to: `out` if its name has a suffix and it is no directory, else one in it.

    Parameters
    ----------
    out : Path
    name : str
        Of the figure: the file in the directory is ``NAME.FORMAT``.
    picture_format : str, optional
        One of `FORMATS`; PDF, or what the suffix of the file says, where it is left out.

    Raises
    ------
    InputError
        When the suffix is no format, or another one than was asked for.
    """
    suffix = out.suffix.lower()
    if not suffix or out.is_dir():
        return out / f"{name}.{picture_format or FORMATS[0]}"
    if suffix not in DPI:
        do = "or make that directory first"
        raise InputError(f"figure file '{out}'", KNOWN, f"'{out.suffix}'", do)
    if picture_format and suffix != f".{picture_format}":
        raise InputError("--format", f"{suffix[1:]}, as '{out}' ends", picture_format, "leave it out")
    return out


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure to a PDF, PNG or SVG file, in full or not at all.

    No file carries a date or an id by chance: the same figure drawn twice gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : str or pathlib.Path
        Ends in `.pdf`, `.png` (200 dots per inch) or `.svg` (letters are outlines, so no font is needed). An
        existing file is replaced.

    Raises
    ------
    InputError
        For another suffix, or when the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in DPI:
        raise InputError(f"figure file '{path}'", KNOWN, f"'{path.suffix}'")
    if not path.parent.is_dir():
        raise InputError(
            f"figure file '{path}'",
            "an existing directory",
            f"no directory '{path.parent}'",
            "create it first",
        )

    image = io.BytesIO()
    with matplotlib.style.context(STYLE, after_reset=True):
        figure.savefig(image, format=suffix[1:], dpi=DPI[suffix], metadata=UNDATED.get(suffix))

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
