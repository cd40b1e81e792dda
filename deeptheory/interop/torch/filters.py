"""Where the filters of a tensor are, and whose they are, as the operations of a forward pass change it."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters of one tensor of a forward pass.

    Attributes
    ----------
    axis : int
        The axis that runs over them; -1 where it is not known.
    n : int
        Their number C; the axis is C times as long where positions are merged into it, filters outermost.
    source : Filters or None
        Those of the tensor of which each filter is a function of the same filter alone: before a batch norm, an
        activation, a pooling, a depthwise convolution, a factor for every filter.
    writers : set of str
        The layers whose outputs these are, or are summed in, one to one.
    lost : str
        The operation behind which the axis is not known.
    """

    axis: int
    n: int
    source: "Filters | None" = None
    writers: frozenset[str] = frozenset()
    lost: str = ""

    @property
    def chain(self) -> "Iterator[Filters]":
        """These and, one after the other, those that they are functions of."""
        here: Filters | None = self
        while here is not None:
            yield here
            here = here.source

    def after(self, axis: int | None = None) -> "Filters":
        """The same filters behind a function of each alone, at another axis if that is given."""
        return Filters(self.axis if axis is None else axis, self.n, self, self.writers, self.lost)


def unknown(operation: str) -> Filters:
    """Filters whose axis is not known behind an operation."""
    return Filters(-1, 0, lost=operation)


@dataclass(frozen=True)
class Operation:
    """One call of an ATen operation, and what went into it.

    Attributes
    ----------
    name : str
        Without namespace, overload and the underscore of those in place: "add", "max_pool2d_with_indices".
    arguments : dict
        By the names of its schema; tensors are replaced by `Operand`, constants and parameters by None.
    out : tuple of int
        Shape of the (first) output.
    """

    name: str
    arguments: Mapping[str, Any]
    out: Shape

    @property
    def operands(self) -> list["Operand"]:
        """The tensors that depend on the inputs of the model, in order."""
        values = list(self.arguments.values())
        lists = [item for value in values if isinstance(value, list | tuple) for item in value]
        return [value for value in (*values, *lists) if isinstance(value, Operand)]


@dataclass(frozen=True)
class Operand:
    """A tensor that depends on the inputs: its filters and its shape."""

    filters: Filters
    shape: Shape

    @property
    def plain(self) -> bool:
        """Whether the axis is known and holds nothing but the filters."""
        return self.filters.axis >= 0 and self.shape[self.filters.axis] == self.filters.n


Rule = Callable[[Operation, Operand], Filters | None]  # None: the axis is lost


def following(operation: Operation) -> Filters:
    """The filters of the output of an operation on tensors that depend on the inputs."""
    operands = operation.operands
    rule = RULES.get(operation.name)
    if rule is None:
        return unknown(operation.name)
    if rule in JOINING:
        found = rule(operation, operands[0])
    elif len(operands) > 1:
        return unknown(operation.name)
    elif operands[0].filters.axis < 0 and rule not in (*SETTING, _each):
        return unknown(operands[0].filters.lost)
    else:
        found = rule(operation, operands[0])
    return found or unknown(operation.name)


def _each(operation: Operation, given: Operand) -> Filters | None:
    """A function of each filter alone that keeps the shape."""
    return given.filters.after() if operation.out == given.shape else None


def _positions(operation: Operation, given: Operand) -> Filters | None:
    """Pooling or padding along the axes behind the filters."""
    fits = given.plain and given.filters.axis == 1 and operation.out[:2] == given.shape[:2]
    return given.filters.after() if fits else None


def _convolution(operation: Operation, given: Operand) -> Filters | None:
    n, groups = operation.out[1], operation.arguments["groups"]
    if given.plain and given.filters.axis == 1 and groups == given.filters.n == n:
        return given.filters.after()
    return Filters(1, n)


def _product(operation: Operation, given: Operand) -> Filters | None:
    """Rows of activations times a matrix of parameters."""
    return Filters(len(operation.out) - 1, operation.out[-1])


def _view(operation: Operation, given: Operand) -> Filters | None:
    axis, n = given.filters.axis, given.filters.n
    before = math.prod(given.shape[:axis])
    for new, size in enumerate(operation.out):
        if math.prod(operation.out[:new]) == before and size % n == 0 and size:
            return given.filters.after(new)
    return None


def _permute(operation: Operation, given: Operand) -> Filters | None:
    dims = [dim % len(given.shape) for dim in operation.arguments["dims"]]
    return given.filters.after(dims.index(given.filters.axis))


def _transpose(operation: Operation, given: Operand) -> Filters | None:
    first, second = (operation.arguments.get(name, number) for number, name in enumerate(("dim0", "dim1")))
    dims = list(range(len(given.shape)))
    dims[first], dims[second] = dims[second], dims[first]
    return given.filters.after(dims.index(given.filters.axis))


def _without(operation: Operation, given: Operand) -> Filters | None:
    """Axes are averaged, taken at one index or dropped."""
    rank, arguments = len(given.shape), operation.arguments
    dims = arguments.get("dim")
    dims = [dims] if isinstance(dims, int) else range(rank) if dims is None else dims
    gone = {dim % rank for dim in dims}
    if operation.name == "squeeze":
        gone = {dim for dim in gone if given.shape[dim] == 1}
    if given.filters.axis in gone:
        return None
    kept = arguments.get("keepdim", False)
    return given.filters.after(
        given.filters.axis - (0 if kept else sum(d < given.filters.axis for d in gone))
    )


def _unsqueeze(operation: Operation, given: Operand) -> Filters | None:
    new = operation.arguments["dim"] % len(operation.out)
    return given.filters.after(given.filters.axis + (new <= given.filters.axis))


def _expand(operation: Operation, given: Operand) -> Filters | None:
    axis = given.filters.axis + len(operation.out) - len(given.shape)
    return given.filters.after(axis) if operation.out[axis] == given.shape[given.filters.axis] else None


def _cut(operation: Operation, given: Operand) -> Filters | None:
    """A part along one axis, or rotated or padded along some: other filters where it is theirs."""
    axis = given.filters.axis
    if operation.name == "constant_pad_nd":
        moved = {
            len(given.shape) - 1 - number // 2 for number, n in enumerate(operation.arguments["pad"]) if n
        }
    else:
        dims = operation.arguments.get("dims", operation.arguments.get("dim", 0))
        dims = [dims] if isinstance(dims, int) else dims
        moved = {dim % len(given.shape) for dim in dims}
    if axis not in moved:
        return given.filters.after()
    whole = operation.name == "slice" and operation.out[axis] == given.shape[axis]
    if whole:
        return given.filters.after()
    return Filters(axis, operation.out[axis]) if given.plain else None


def _concatenation(operation: Operation, given: Operand) -> Filters | None:
    operands, out = operation.operands, operation.out
    if any(not operand.plain or operand.filters.axis != given.filters.axis for operand in operands):
        return None
    dim = operation.arguments.get("dim", 0) % len(out)
    if dim == given.filters.axis:
        return Filters(dim, out[dim])
    writers = frozenset[str]().union(*(operand.filters.writers for operand in operands))
    return Filters(given.filters.axis, given.filters.n, writers=writers)


def _sum(operation: Operation, given: Operand) -> Filters | None:
    """A sum or product; tensors that do not depend on the inputs leave every filter what it is."""
    whole = [operand for operand in operation.operands if operand.shape == operation.out]
    known = [operand.filters for operand in whole if operand.filters.axis >= 0]
    if not known or len({(filters.axis, filters.n) for filters in known}) > 1:
        return None
    if len(whole) == len(operation.operands) == 1 or (len(whole) == 1 and operation.name in ("mul", "div")):
        return known[0].after()
    if len(known) == len(whole) == len(operation.operands) and (common := _common(known)):
        return Filters(known[0].axis, known[0].n, common, common.writers)
    writers = frozenset[str]().union(*(filters.writers for filters in known))
    return Filters(known[0].axis, known[0].n, writers=writers)


def _common(several: Sequence[Filters]) -> Filters | None:
    """The nearest filters that all of them are functions of."""
    others = [set(filters.chain) for filters in several[1:]]
    return next((here for here in several[0].chain if all(here in other for other in others)), None)


_EACH = (
    "relu gelu silu mish elu leaky_relu hardtanh hardswish hardsigmoid sigmoid tanh softplus threshold hardshrink "
    "softshrink _prelu_kernel clamp clamp_min clamp_max abs neg exp log sqrt rsqrt pow square clone detach alias "
    "contiguous _to_copy lift_fresh native_dropout native_batch_norm _native_batch_norm_legit "
    "_native_batch_norm_legit_no_training cudnn_batch_norm miopen_batch_norm native_layer_norm native_group_norm"
)
_POSITIONS = (
    "max_pool2d_with_indices avg_pool2d _adaptive_avg_pool2d adaptive_max_pool2d reflection_pad2d "
    "replication_pad2d upsample_nearest2d upsample_bilinear2d upsample_bicubic2d"
)
# What an operation makes of the filters of its one operand that depends on the inputs, by its name in ATen.
RULES: dict[str, Rule] = {
    **dict.fromkeys(_EACH.split(), _each),
    **dict.fromkeys(_POSITIONS.split(), _positions),
    **dict.fromkeys(("view", "_unsafe_view"), _view),
    **dict.fromkeys(("mean", "amax", "amin", "sum", "select", "squeeze"), _without),
    **dict.fromkeys(("slice", "split", "split_with_sizes", "constant_pad_nd", "roll", "flip"), _cut),
    **dict.fromkeys(("transpose", "t"), _transpose),
    **dict.fromkeys(("mm", "addmm"), _product),
    **dict.fromkeys(("add", "sub", "mul", "div"), _sum),
    "convolution": _convolution,
    "permute": _permute,
    "unsqueeze": _unsqueeze,
    "expand": _expand,
    "cat": _concatenation,
}
JOINING = (_sum, _concatenation)  # of any number of operands
SETTING = (_convolution, _product)  # whatever the axis was before
