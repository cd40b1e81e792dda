"""Figures that a notebook shows as the last line of a cell, whatever its backend is."""

import io

import matplotlib.figure
import matplotlib.style

STYLE = "deeptheory.reports.plot.deeptheory"  # deeptheory.mplstyle in this package
SCREEN = 120  # dots per inch


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure with a picture of its own, for where IPython has no backend that makes one."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        with matplotlib.style.context(STYLE, after_reset=True):
            self.savefig(picture, format="png", dpi=SCREEN)
        return picture.getvalue()
