"""The documentation site (`make docs`): the pages of this folder, and a reference made from the code."""

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]  # the package of this checkout, and `site_parts`

import deeptheory  # noqa: E402

project = "deeptheory"
author = "The deeptheory developers"
copyright = author
version = release = deeptheory.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
    "sphinx_click",
    "site_parts.api",
    "site_parts.command_help",
    "site_parts.contents",
    "site_parts.figure_gallery",
    "site_parts.links",
    "site_parts.options_table",
]
root_doc = "index"
exclude_patterns = ["site_parts", "gallery"]
highlight_language = "none"
smartquotes = False  # two dashes begin an option

# Pages as a code host shows them: formulas between dollars, anchors of headings.
myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 4
nb_execution_mode = "off"

# Every formula is drawn as SVG by one script beside the pages, which needs no fonts and no network.
mathjax_path = "tex-svg.js"
_mathjax = importlib.util.find_spec("sphinx-mathjax-offline")
if _mathjax is None or _mathjax.origin is None:
    raise ImportError("the formulas need: pip install 'deeptheory[docs]'")
html_static_path = ["site.css", str(Path(_mathjax.origin).parent / "static" / "mathjax" / "tex-svg.js")]

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say types, and shapes
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
default_role = "py:obj"

html_theme = "furo"
html_title = "deeptheory"
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
