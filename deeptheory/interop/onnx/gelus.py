"""GELU in the operators that exporters spell it with, as one operator `Gelu`."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from deeptheory.interop.onnx.graph import Operator
from deeptheory.nn.kernels import definitions
from deeptheory.nn.layers.base import Array

# By the operator at its heart: the attribute `approximate`, and what is computed.
FORMS = {"Erf": (b"none", definitions.GELU), "Tanh": (b"tanh", definitions.TANH_GELU)}
RULES: dict[str, Callable[..., Array]] = {
    "Add": np.add,
    "Div": np.divide,
    "Erf": np.vectorize(math.erf, otypes=[np.float64]),
    "Mul": np.multiply,
    "Pow": np.power,
    "Tanh": np.tanh,
}
POINTS = np.linspace(-5, 5, 101)
DEEPEST = 6  # operators between a value and the heart of its GELU, and from there to the end


def with_gelus(operators: Sequence[Operator], constants: Mapping[str, Array]) -> list[Operator]:
    """The operators, those that together compute a GELU of a value replaced by one.

    What they compute is compared with the definition on a hundred numbers, so the order of the products and the
    spelling of a power do not matter.
    """
    numbers = {name: array for name, array in constants.items() if array.size == 1}
    for operator in operators:
        if operator.kind == "Constant" and (value := operator.fold({})).size == 1:
            numbers[operator.outputs[0]] = value
    makers = {operator.outputs[0]: operator for operator in operators}
    readers: dict[str, list[Operator]] = {}
    for operator in operators:
        for name in operator.inputs:
            readers.setdefault(name, []).append(operator)
    found: dict[str, Operator] = {}
    for operator in operators:
        if operator.kind in FORMS:
            found |= _gelu(operator, makers, readers, numbers)
    if not found:
        return list(operators)
    return _needed([found.get(operator.outputs[0], operator) for operator in operators])


def _gelu(
    heart: Operator,
    makers: Mapping[str, Operator],
    readers: Mapping[str, list[Operator]],
    numbers: Mapping[str, Array],
) -> dict[str, Operator]:
    """The operator in place of the one that ends the GELU, by the name of its value; empty if there is none."""
    approximate, name = FORMS[heart.kind]
    expected = definitions.activation(POINTS, name)
    for end in _ends(heart, readers):
        for source in _sources(heart, makers, numbers):
            value = _value(end.outputs[0], source, makers, numbers, 3 * DEEPEST)
            if value is not None and np.allclose(value, expected, rtol=1e-5, atol=1e-6):
                inputs, attributes = (source,), {"approximate": approximate}
                return {end.outputs[0]: replace(end, kind="Gelu", inputs=inputs, attributes=attributes)}
    return {}


def _ends(heart: Operator, readers: Mapping[str, list[Operator]]) -> Iterator[Operator]:
    """The products behind the heart, as long as each is the only reader of what is before it."""
    operator = heart
    for _ in range(DEEPEST):
        following = readers.get(operator.outputs[0], [])
        if len(following) != 1:
            return
        operator = following[0]
        if operator.kind == "Mul":
            yield operator


def _sources(heart: Operator, makers: Mapping[str, Operator], numbers: Mapping[str, Array]) -> Iterator[str]:
    """Values that the heart is computed from, the nearest first."""
    names = list(heart.inputs)
    for _ in range(DEEPEST):
        yield from names
        before = [makers[name] for name in names if name in makers and makers[name].kind in RULES]
        names = list(dict.fromkeys(name for operator in before for name in operator.inputs))
        names = [name for name in names if name not in numbers]


def _value(
    name: str, source: str, makers: Mapping[str, Operator], numbers: Mapping[str, Array], depth: int
) -> Array | None:
    """What is computed of `POINTS` in the place of the source; None where other values enter."""
    if name == source:
        return POINTS
    if name in numbers:
        return numbers[name].reshape(()).astype(np.float64)
    if name not in makers or makers[name].kind not in RULES or depth == 0:
        return None
    values = [_value(given, source, makers, numbers, depth - 1) for given in makers[name].inputs]
    if any(value is None for value in values):
        return None
    with np.errstate(all="ignore"):
        value: Array = RULES[makers[name].kind](*values)
    return value


def _needed(operators: Sequence[Operator]) -> list[Operator]:
    """Without those whose values only the replaced operators read; the last gives the output."""
    wanted, kept = set(operators[-1].outputs), list[Operator]()
    for operator in reversed(operators):
        if not wanted.isdisjoint(operator.outputs):
            wanted.update(operator.inputs)
            kept.append(operator)
    return kept[::-1]
