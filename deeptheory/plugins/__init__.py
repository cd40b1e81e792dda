"""Own criteria, hypotheses, formulas, networks, data sources and schedules, without editing the package.

Each is a function with one decorator, in a file that `--plugin`, a configuration or `load` names, in an
installed package with an entry point in the group `deeptheory.plugins`, or in a cell of a notebook.
docs/extending.md walks through them. Nothing is ever executed that was not named or installed: a run records its
plugins by hash, and asks for them.
"""

from deeptheory.plugins.decorators import criterion, data_source, formula, hypothesis, network, schedule
from deeptheory.plugins.definitions import Plugin, definition, known
from deeptheory.plugins.files import PINNED, load, load_installed, refuse_changed
from deeptheory.plugins.options import PluginOptions

__all__ = [
    "PINNED",
    "Plugin",
    "PluginOptions",
    "criterion",
    "data_source",
    "definition",
    "formula",
    "hypothesis",
    "known",
    "load",
    "load_installed",
    "network",
    "refuse_changed",
    "schedule",
]
