"""The claims of the field: every module here whose name begins with h and a number holds one, `HYPOTHESIS`."""

import importlib
import pkgutil
import re
from typing import Any

from deeptheory.errors import unknown_name
from deeptheory.judge.decision import Hypothesis

_MODULES = sorted(found.name for found in pkgutil.iter_modules(__path__) if re.match(r"h\d+_", found.name))
_FOUND = (importlib.import_module(f"{__name__}.{name}").HYPOTHESIS for name in _MODULES)
HYPOTHESES: dict[str, Hypothesis[Any]] = {of.name: of for of in _FOUND}
# Claims that are judged together; H1 to H5 are those of the seed article.
FAMILIES = {
    "paper": ("H1", "H2", "H3", "H4", "H5", "H10", "H17", "H18", "H19", "H20", "H21", "H22"),
    "heads": ("H23", "H24", "H25", "H26", "H27"),
}


def hypothesis(name: str) -> Hypothesis[Any]:
    """A hypothesis by its name, or its number as "H7".

    Raises
    ------
    InputError
        There is none; the nearest name is suggested.
    """
    numbers = {f"h{of.number}": of for of in HYPOTHESES.values()}
    found = HYPOTHESES.get(name) or numbers.get(name.lower())
    if found is None:
        raise unknown_name("hypothesis", name, HYPOTHESES)
    return found


def family(name: str) -> list[Hypothesis[Any]]:
    """The hypotheses of a family.

    Raises
    ------
    InputError
        There is none of that name; the nearest one is suggested.
    """
    if name not in FAMILIES:
        raise unknown_name("family", name, FAMILIES)
    return [hypothesis(member) for member in FAMILIES[name]]
