"""Figures as SVG text, to be placed in HTML."""

import io
import re

import matplotlib.style
from matplotlib.figure import Figure

from deeptheory.reports.plot.notebook_figure import STYLE

RASTER = 200  # dots per inch of the images in a figure
REFERENCE = re.compile(r'( id="|href="#|url\(#)')


def svg(figure: Figure, name: str) -> str:
    """The ``<svg>`` element of a figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    name : str
        Put before every id, so that several figures can be placed in one document.

    Returns
    -------
    str
        The same figure gives the same text: no date, ids that do not depend on chance. Letters are outlines,
        so no font is needed.
    """
    written = io.StringIO()
    settings = {"svg.hashsalt": name, "svg.fonttype": "path"}
    with matplotlib.style.context([STYLE, settings], after_reset=True):
        figure.savefig(written, format="svg", dpi=RASTER, metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    element = text[text.index("<svg") :]  # without the XML declaration, which HTML does not know
    return REFERENCE.sub(rf"\1{name}-", element)
