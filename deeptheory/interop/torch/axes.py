"""Where what an axis runs over is, once an operation has moved, split or merged the axes of a tensor."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """Where a tensor has n things, such as its filters, its heads or the inputs of the batch.

    Attributes
    ----------
    axis : int
        The axis that runs over them, -1 where it is not known. What was merged into it lies outside of them, or
        inside: its index is (outer, n, inner).
    n : int
    outer : int
    """

    axis: int
    n: int
    outer: int = 1

    def pieces(self, size: int) -> tuple[int, int, int]:
        """Lengths (outer, n, inner) of the axis."""
        return self.outer, self.n, size // (self.outer * self.n)


Arguments = Mapping[str, Any]
Move = Callable[[Arguments, Shape, Shape, Place], Place | None]  # None: the axis is lost


def moved(name: str, arguments: Arguments, shape: Shape, out: Shape, place: Place) -> Place | None:
    """The place behind an operation that only rearranges a tensor of that shape; None where it is lost.

    Parameters
    ----------
    name : str
        One of `MOVES`.
    arguments : mapping
        By the names of its schema.
    shape, out : tuple of int
        Of the operand and of the output.
    place : Place
    """
    return MOVES[name](arguments, shape, out, place)


def _view(arguments: Arguments, shape: Shape, out: Shape, place: Place) -> Place | None:
    before = math.prod(shape[: place.axis]) * place.outer
    outside = [math.prod(out[:axis]) for axis in range(len(out))]
    found = [
        Place(axis, place.n, before // n)
        for axis, (n, size) in enumerate(zip(outside, out, strict=True))
        if size and before % n == 0 and size % (before // n * place.n) == 0
    ]
    return min(found, key=lambda new: new.outer, default=None)


def _at(place: Place, axis: int) -> Place:
    return Place(axis, place.n, place.outer)


def _permute(arguments: Arguments, shape: Shape, out: Shape, place: Place) -> Place:
    return _at(place, [dim % len(shape) for dim in arguments["dims"]].index(place.axis))


def _transpose(arguments: Arguments, shape: Shape, out: Shape, place: Place) -> Place:
    first, second = (arguments.get(name, number) for number, name in enumerate(("dim0", "dim1")))
    dims = list(range(len(shape)))
    dims[first], dims[second] = dims[second], dims[first]
    return _at(place, dims.index(place.axis))


def _without(dims: Any, kept: bool, shape: Shape, place: Place) -> Place | None:
    dims = [dims] if isinstance(dims, int) else range(len(shape)) if dims is None else dims
    gone = {dim % len(shape) for dim in dims}
    if place.axis in gone:
        return None
    return _at(place, place.axis - (0 if kept else sum(dim < place.axis for dim in gone)))


def _reduced(arguments: Arguments, shape: Shape, out: Shape, place: Place) -> Place | None:
    """Axes are averaged or added up."""
    return _without(arguments.get("dim"), bool(arguments.get("keepdim", False)), shape, place)


def _selected(arguments: Arguments, shape: Shape, out: Shape, place: Place) -> Place | None:
    """One index of an axis, or all of them one by one."""
    return _without(arguments.get("dim", 0), False, shape, place)


def _squeezed(arguments: Arguments, shape: Shape, out: Shape, place: Place) -> Place | None:
    dims = arguments.get("dim")
    dims = [dims] if isinstance(dims, int) else range(len(shape)) if dims is None else dims
    return _without([dim for dim in dims if shape[dim % len(shape)] == 1], False, shape, place)


def _unsqueeze(arguments: Arguments, shape: Shape, out: Shape, place: Place) -> Place:
    new = arguments["dim"] % len(out)
    return _at(place, place.axis + (new <= place.axis))


def _expand(arguments: Arguments, shape: Shape, out: Shape, place: Place) -> Place | None:
    axis = place.axis + len(out) - len(shape)
    return _at(place, axis) if out[axis] == shape[place.axis] else None


MOVES: dict[str, Move] = {
    **dict.fromkeys(("view", "_unsafe_view"), _view),
    **dict.fromkeys(("mean", "amax", "amin", "sum"), _reduced),
    **dict.fromkeys(("select", "unbind"), _selected),
    **dict.fromkeys(("transpose", "t"), _transpose),
    "squeeze": _squeezed,
    "permute": _permute,
    "unsqueeze": _unsqueeze,
    "expand": _expand,
}
