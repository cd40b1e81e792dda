"""The catalogue of formulas and their values at given numbers, as `deeptheory theory` prints them."""

import itertools
import math
import textwrap
from collections.abc import Sequence
from typing import Any

from deeptheory.errors import InputError, unknown_name
from deeptheory.tables import Summary, text_table
from deeptheory.theory.catalogue import FORMULAS, OUT_OF_RANGE, Formula

Value = float | tuple[float, ...]
LINE = 110  # characters


def formula_list() -> Summary:
    """Every formula with its parameters, equation, status, source and symbols."""
    text = "\n".join(
        "\n".join((f"{name} {_usage(formula)}", f"    {_meaning(formula)}", *_symbols(formula)))
        for name, formula in FORMULAS.items()
    )
    return Summary(text, {"formulas": [_described(formula) for formula in FORMULAS.values()]})


def formula_values(name: str, assignments: Sequence[str]) -> Summary:
    """A formula at every combination of the given numbers; a list or a matrix is one value.

    Parameters
    ----------
    name : str
        Of the formula.
    assignments : sequence of str
        ``parameter=number`` or ``parameter=number,number``: several values, or the numbers of a list or matrix.

    Raises
    ------
    InputError
        An unknown name, a parameter that is missing or given twice, no number, or a number out of range.
    """
    if name not in FORMULAS:
        raise unknown_name("formula", name, FORMULAS)
    formula = FORMULAS[name]
    given = _parse(formula, assignments)
    values = []
    for numbers in itertools.product(*given.values()):
        point = dict(zip(given, numbers, strict=True))
        try:
            values.append({**point, **formula.evaluate(**point)})
        except InputError:  # of a plugin
            raise
        except (ValueError, OverflowError) as error:
            raise _as_input_error(formula, error) from error
    rows = [[_shown(number) for number in point.values()] for point in values]
    text = "\n".join([f"{name}: {_meaning(formula)}", *text_table(list(values[0]), rows, left=())])
    return Summary(text, {**_described(formula), "values": values})


def _described(formula: Formula) -> dict[str, Any]:
    return {
        "name": formula.name,
        "parameters": formula.parameters,
        "equation": formula.equation,
        "source": formula.source,
        "status": formula.status,
        "symbols": list(formula.symbols),
    }


def _meaning(formula: Formula) -> str:
    return f"{formula.equation}; {formula.status}; {formula.source}"


def _symbols(formula: Formula) -> list[str]:
    indent = " " * 8
    return textwrap.wrap(
        "; ".join(formula.symbols),
        LINE,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
    )


def _usage(formula: Formula) -> str:
    given = {"list": "=a,b,...", "square": "=row,row,...", "number": "", "whole": ""}
    return " ".join(
        f"{name}{given[formula.kind(name)]}" if default is None else f"{name}={default:g}"
        for name, default in formula.parameters.items()
    )


def _shown(value: Value) -> str:
    return ",".join(map(_shown, value)) if isinstance(value, tuple) else f"{value:.6g}"


def _parse(formula: Formula, assignments: Sequence[str]) -> dict[str, list[Value]]:
    given: dict[str, list[Value]] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise InputError(
                f"'{assignment}'", "parameter=number", "no '='", f"parameters: {_usage(formula)}"
            )
        if name not in formula.parameters:
            raise unknown_name(f"parameter of {formula.name}", name, formula.parameters)
        if name in given:
            raise InputError(name, "one value, or several with commas", "it twice", "join them: a=1,2")
        numbers = [_number(formula, name, part) for part in text.split(",")]
        given[name] = [tuple(numbers)] if name in formula.arrays else [*numbers]
    for name, default in formula.parameters.items():
        if default is None and name not in given:
            raise InputError(f"parameter {name} of {formula.name}", "a number", "none", f"add {name}=NUMBER")
    return given


def _number(formula: Formula, name: str, text: str) -> float:
    whole = formula.kind(name) == "whole"
    try:
        return int(text)
    except ValueError:
        if whole:
            raise InputError(name, "a whole number", f"'{text}'") from None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(name, "a number", f"'{text}'")
    return number


def _as_input_error(formula: Formula, error: Exception) -> InputError:
    """The range that a formula names, in the form of every other message."""
    named = OUT_OF_RANGE.fullmatch(str(error))
    if named is None:
        return InputError(formula.name, "numbers within their range", str(error))
    what, expected, found = named.groups()
    return InputError(what, expected, found, f"parameters of {formula.name}: {_usage(formula)}")
