"""The figures of runs: every module here whose name begins with f and a number holds one, `FIGURE`."""

import importlib
import pkgutil
import re

from deeptheory.reports.figures.definition import RunFigure

_MODULES = sorted(found.name for found in pkgutil.iter_modules(__path__) if re.match(r"f\d+_", found.name))
_FIGURES: list[RunFigure] = [importlib.import_module(f"{__name__}.{name}").FIGURE for name in _MODULES]
FIGURES: dict[str, RunFigure] = {figure.name: figure for figure in _FIGURES}

__all__ = ["FIGURES", "RunFigure"]
