"""The six decorators. Each puts a function into the table of its kind and returns it as it is."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from deeptheory.errors import InputError
from deeptheory.plugins.definitions import define, definition
from deeptheory.plugins.guards import guarded

if TYPE_CHECKING:
    from deeptheory.prune import Context
    from deeptheory.prune.selection import Scope

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]
FIRST = 100  # the numbers of hypotheses below are the package's own
# The rooms are imported where they are used: a formula needs no network.


def criterion(name: str, scope: "Scope" = "layer", **traits: Any) -> Decorator[F]:
    """A criterion of pruning, for `prune.arms` and `compare.criteria`.

    The function takes a `prune.Context` and returns, by the name of the weight of every layer in
    ``context.units``, an array of shape ``layer.units(context.granularity)``: one score for each weight, kernel
    or filter, higher = keep.

    Parameters
    ----------
    name : str
    scope : "layer" or "network"
        Whether scores rank within a layer, or all layers together.
    **traits
        The other fields of `prune.Criterion`: ``granularities``, ``measured``, ``running``, ``title``, ...

    Raises
    ------
    InputError
        The name is taken (both places are named). When it is used: other scores than described.
    """
    from deeptheory.prune import CRITERIA, UNPRUNED, Criterion

    def decorate(function: F) -> F:
        _refuse_reserved("criterion", name, (UNPRUNED,))
        scores = guarded(function)

        def checked(context: "Context") -> dict[str, Any]:
            return _checked_scores(name, context, scores(context))

        safe: dict[str, Any] = {
            key: guarded(value) if callable(value) else value for key, value in traits.items()
        }
        define("criterion", name, function, CRITERIA, Criterion(checked, scope, **safe))
        return function

    return decorate


def hypothesis(name: str, number: int, **fields: Any) -> Decorator[F]:
    """A claim with its decision rule, for `deeptheory hypothesis`.

    The function is the `parts` of a `judge.Hypothesis`: from the evidence to one number per seed, (S,), by part
    of the claim.

    Parameters
    ----------
    name : str
    number : int
        From 100 on.
    **fields
        Those of `judge.Hypothesis` that say what is fixed: ``label``, ``claim``, ``source``, ``evidence``,
        ``statistic``, ``unit``, ``null``, ``rule``, ``scatter``, ...

    Raises
    ------
    InputError
        The name or number is taken, or the number is the package's own.
    """
    from deeptheory.judge import HYPOTHESES, Hypothesis

    if type(number) is not int or number < FIRST:
        raise InputError(f"number of hypothesis '{name}'", f"{FIRST} or more", repr(number))

    def decorate(function: F) -> F:
        made: Hypothesis[Any] = Hypothesis(
            number=number, name=name, parts=guarded(function), **{"planted": _not_planted, **fields}
        )
        for other in HYPOTHESES.values():
            if other.number == number and other.name != name:
                there = definition("hypothesis", other.name)
                found = f"that of '{other.name}' at {there.place if there else 'deeptheory itself'}"
                raise InputError(f"number of hypothesis '{name}'", "one that no other has", found)
        define("hypothesis", name, function, HYPOTHESES, made)
        return function

    return decorate


def formula(
    equation: str,
    source: str,
    status: str,
    arrays: Mapping[str, Any] | None = None,
    symbols: Sequence[str] = (),
) -> Decorator[F]:
    """A formula of the catalogue, for `deeptheory theory`, under the name of the function.

    Its parameters and their defaults are those of the function, which returns a number or a named tuple of
    numbers and raises ``ValueError("NAME must be RANGE, found VALUE")`` for what is out of range.

    Parameters
    ----------
    equation, source, status : str
    arrays : mapping of str to "list" or "square", optional
    symbols : sequence of str
        As in `theory.catalogue.Formula`.

    Raises
    ------
    InputError
        The name is taken (both places are named).
    """
    from deeptheory.theory.catalogue import FORMULAS, OUT_OF_RANGE, Formula

    def is_of_a_number(error: Exception) -> bool:
        return isinstance(error, ValueError) and OUT_OF_RANGE.fullmatch(str(error)) is not None

    def decorate(function: F) -> F:
        made = Formula(
            guarded(function, is_of_a_number), equation, source, status, arrays or {}, tuple(symbols)
        )
        define("formula", made.name, function, FORMULAS, made)
        return function

    return decorate


def network(name: str) -> Decorator[F]:
    """A network, for `network.name`.

    The function takes a `nn.architectures.Builder` and appends all stages but the head; every stage has one layer
    ``conv`` or ``linear`` that mixes channels. ``builder.scaled(n)`` are n filters at `network.width`.

    Parameters
    ----------
    name : str

    Raises
    ------
    InputError
        The name is taken (both places are named). When it is used: no stages.
    """
    from deeptheory.nn.architectures import ARCHITECTURES, Architecture
    from deeptheory.nn.options import OTHERS

    def decorate(function: F) -> F:
        add_stages = guarded(function)

        def checked(builder: Any) -> None:
            add_stages(builder)
            if not builder.stages:
                raise InputError(f"network '{name}'", "stages that are appended", "none", "builder.append")

        _refuse_reserved("network", name, OTHERS)
        define("network", name, function, ARCHITECTURES, Architecture(checked))
        return function

    return decorate


def data_source(name: str) -> Decorator[F]:
    """A source of data, for `data.source`.

    The function takes the `data.DataOptions` (``path``, ``n_labels``, ``size``, ``train_per_label``, ``seed``,
    ...) and returns a `data.Dataset`, always the same for the same options: a run compares it by its
    fingerprint.

    Parameters
    ----------
    name : str

    Raises
    ------
    InputError
        The name is taken (both places are named). When it is used: no data set.
    """
    from deeptheory.data import Dataset
    from deeptheory.data.loading import SOURCES

    def decorate(function: F) -> F:
        read = guarded(function)

        def checked(options: Any, quiet: bool) -> Dataset:
            found = read(options)
            if not isinstance(found, Dataset):
                raise InputError(f"data source '{name}'", "a data.Dataset", type(found).__name__)
            return found

        define("data source", name, function, SOURCES, checked)
        return function

    return decorate


def schedule(name: str) -> Decorator[F]:
    """A learning-rate schedule, for `train.schedule` and `retrain.schedule`.

    The function takes the `nn.Recipe`, the number of completed epochs and t = (steps done)/(all steps), and
    returns the factor on `learning_rate`, at least 0.

    Parameters
    ----------
    name : str

    Raises
    ------
    InputError
        The name is taken (both places are named). When it is used: a factor that is negative or no number.
    """
    from deeptheory.nn.learning_rates import SCHEDULES

    def decorate(function: F) -> F:
        factor = guarded(function)

        def checked(recipe: Any, epoch: int, t: float) -> float:
            found = factor(recipe, epoch, t)
            if not (isinstance(found, int | float | np.number) and 0 <= found < np.inf):
                raise InputError(f"schedule '{name}' at t = {t:g}", "a number, at least 0", repr(found))
            return float(found)

        define("schedule", name, function, SCHEDULES, checked)
        return function

    return decorate


def _checked_scores(name: str, context: "Context", scores: Any) -> dict[str, Any]:
    shapes = {layer.weight: layer.units(context.granularity) for layer in context.units}
    if not isinstance(scores, Mapping) or set(scores) != set(shapes):
        found = ", ".join(map(str, scores)) if isinstance(scores, Mapping) else type(scores).__name__
        raise InputError(f"scores of criterion '{name}'", f"arrays for {', '.join(shapes)}", found or "none")
    for weight, shape in shapes.items():
        if np.shape(scores[weight]) != shape:
            found = f"shape {np.shape(scores[weight])}"
            raise InputError(f"scores of '{weight}' by {name}", f"shape {shape}", found)
    return {weight: np.asarray(scores[weight], np.float64) for weight in shapes}


def _refuse_reserved(kind: str, name: str, reserved: Any) -> None:
    if name in reserved:
        raise InputError(f"{kind} '{name}'", "a name with no meaning of its own", f"'{name}'")


def _not_planted(*_: Any) -> Any:
    raise InputError("hypothesis", "made-up evidence to judge the judge by", "none", "give it `planted`")
