"""Where the filters of a tensor are, and whose they are, as the operations of a forward pass change it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deeptheory.interop.torch.axes import MOVES, Place, Shape, moved

ATTENTION, HEADS = "attention", "heads"


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters of one tensor of a forward pass.

    Attributes
    ----------
    axis : int
        The axis that runs over them; -1 where it is not known.
    n : int
        Their number C; the axis is longer where others are merged into it (`axes.Place`).
    outer : int
        By how much, outside of the filters.
    kind : str
        ``heads`` for those of an attention: each is all that one head puts out. ``attention`` for its weights.
    source : Filters or None
        Those of the tensor of which each filter is a function of the same filter alone: before a batch norm, an
        activation, a pooling, a depthwise convolution, a factor for every filter.
    writers : set of str
        The layers whose outputs these are, or are summed in, one to one.
    feeding : set of str
        Of heads, of a part, and where the axis is not known: the layers that these are made of, without others
        between.
    lost : str
        The operation behind which the axis is not known.
    """

    axis: int
    n: int
    outer: int = 1
    kind: str = ""
    source: "Filters | None" = None
    writers: frozenset[str] = frozenset()
    feeding: frozenset[str] = frozenset()
    lost: str = ""

    @property
    def chain(self) -> "Iterator[Filters]":
        """These and, one after the other, those that they are functions of."""
        here: Filters | None = self
        while here is not None:
            yield here
            here = here.source

    @property
    def place(self) -> Place:
        """Where they are; meaningless if that is not known."""
        return Place(self.axis, self.n, self.outer)

    def after(self, place: Place | None = None) -> "Filters":
        """The same filters behind a function of each alone, at another place if that is given."""
        place = place or self.place
        return replace(self, axis=place.axis, outer=place.outer, source=self)


def unknown(operation: str, operands: "Sequence[Operand]" = ()) -> Filters:
    """Filters whose axis is not known behind an operation."""
    layers = (operand.filters.writers | operand.filters.feeding for operand in operands)
    return Filters(-1, 0, feeding=frozenset[str]().union(*layers), lost=operation)


@dataclass(frozen=True)
class Operand:
    """A tensor that depends on the inputs: its filters, the inputs of the batch, and its shape."""

    filters: Filters
    batch: Place | None
    shape: Shape

    @property
    def plain(self) -> bool:
        """Whether the axis is known and holds nothing but the filters."""
        return self.filters.axis >= 0 and self.shape[self.filters.axis] == self.filters.n


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
    def operands(self) -> list[Operand]:
        """The tensors that depend on the inputs of the model, in order."""
        values = list(self.arguments.values())
        lists = [item for value in values if isinstance(value, list | tuple) for item in value]
        return [value for value in (*values, *lists) if isinstance(value, Operand)]


Rule = Callable[[Operation, Operand], Filters | None]  # None: the axis is lost


def following(operation: Operation) -> Filters:
    """The filters of the output of an operation on tensors that depend on the inputs."""
    operands = operation.operands
    given, name = operands[0], operation.name
    rule = _attended if name.startswith("_scaled_dot_product") else RULES.get(name)
    if rule in JOINING or (rule in SETTING and len(operands) == 1):
        found = rule(operation, given)
    elif rule is None or len(operands) > 1:
        found = None
    elif given.filters.axis < 0:
        return replace(unknown(given.filters.lost, operands), source=given.filters if rule is _each else None)
    else:
        found = rule(operation, given)
    return found or unknown(name, operands)


def batch_behind(operation: Operation) -> Place | None:
    """Where the inputs of the batch are behind an operation; None where that is not known."""
    for operand in operation.operands:
        batch, out = operand.batch, operation.out
        if batch is None:
            continue
        if operation.name in MOVES:
            return moved(operation.name, operation.arguments, operand.shape, out, batch)
        if batch.axis < len(out) and out[batch.axis] == operand.shape[batch.axis]:
            return batch
    return None


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


def _move(operation: Operation, given: Operand) -> Filters | None:
    place = moved(operation.name, operation.arguments, given.shape, operation.out, given.filters.place)
    if place is None or (len(operation.out) == 2 and place.axis == 1 and place.outer > 1):
        return None  # positions before filters in one row: nodes
    return given.filters.after(place)


def _indexed(operation: Operation, given: Operand) -> Filters | None:
    """Tokens that numbers choose, along the axes before the filters, which are the last one."""
    last, n = len(given.shape) - 1, len(operation.arguments["indices"])
    if (
        given.filters.axis != last
        or n > last
        or len(operation.out) < 2
        or operation.out[-1] != given.shape[-1]
    ):
        return None
    return given.filters.after(replace(given.filters.place, axis=len(operation.out) - 1))


def _embedding(operation: Operation, given: Operand) -> Filters | None:
    """Rows of a table that numbers of tokens choose."""
    return Filters(len(operation.out) - 1, operation.out[-1])


def _softmax(operation: Operation, given: Operand) -> Filters | None:
    """The weights of an attention, (N, heads, T, T) or with the first two axes as one."""
    rank, batch = len(given.shape), given.batch
    if given.filters.axis >= 0 or operation.arguments.get("dim", -1) % rank != rank - 1:
        return None
    layers = unknown("", [given]).feeding
    if rank == 4:
        return Filters(1, given.shape[1], kind=ATTENTION, feeding=layers)
    if rank == 3 and batch is not None and batch.axis == 0:
        outside, n, heads = batch.pieces(given.shape[0])
        return Filters(0, heads, outside * n, ATTENTION, feeding=layers)
    return None


def _attended(operation: Operation, given: Operand) -> Filters:
    """The outputs of heads (N, heads, T, d), from a function that does all of it."""
    return Filters(1, operation.out[1], kind=HEADS, feeding=unknown("", operation.operands).feeding)


def _batched_product(operation: Operation, given: Operand) -> Filters | None:
    """The outputs of heads: the weights of an attention times the values."""
    if given.filters.kind != ATTENTION or given.filters.axis != 0:
        return None
    return replace(given.filters, kind=HEADS, feeding=unknown("", operation.operands).feeding)


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
    feeding = given.filters.writers | given.filters.feeding  # as queries, keys and values of one layer
    return Filters(axis, operation.out[axis], feeding=feeding) if given.plain else None


def _concatenation(operation: Operation, given: Operand) -> Filters | None:
    operands, out = operation.operands, operation.out
    dim = operation.arguments.get("dim", 0) % len(out)
    if len(operands) == 1 and given.filters.axis not in (-1, dim):
        return given.filters.after()
    if any(not operand.plain or operand.filters.axis != given.filters.axis for operand in operands):
        return None
    if dim == given.filters.axis:
        return Filters(dim, out[dim])
    writers = frozenset[str]().union(*(operand.filters.writers for operand in operands))
    return Filters(given.filters.axis, given.filters.n, writers=writers)


def _sum(operation: Operation, given: Operand) -> Filters | None:
    """A sum or product; tensors that do not depend on the inputs leave every filter what it is."""
    whole = [operand for operand in operation.operands if operand.shape == operation.out]
    known = [operand.filters for operand in whole if operand.filters.axis >= 0]
    if not known or len({filters.place for filters in known}) > 1:
        return None
    if len(whole) == len(operation.operands) == 1 or (len(whole) == 1 and operation.name in ("mul", "div")):
        return known[0].after()
    if len(known) == len(whole) == len(operation.operands) and (common := _common(known)):
        return replace(known[0], source=common, writers=common.writers)
    writers = frozenset[str]().union(*(filters.writers for filters in known))
    return Filters(known[0].axis, known[0].n, known[0].outer, writers=writers)


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
    "max_pool1d avg_pool1d max_pool2d_with_indices avg_pool2d _adaptive_avg_pool2d adaptive_max_pool2d "
    "reflection_pad2d replication_pad2d upsample_nearest2d upsample_bilinear2d upsample_bicubic2d"
)
# What an operation makes of the filters of its one operand that depends on the inputs, by its name in ATen.
RULES: dict[str, Rule] = {
    **dict.fromkeys(_EACH.split(), _each),
    **dict.fromkeys(_POSITIONS.split(), _positions),
    **dict.fromkeys(MOVES, _move),
    **dict.fromkeys(("slice", "split", "split_with_sizes", "constant_pad_nd", "roll", "flip"), _cut),
    **dict.fromkeys(("mm", "addmm"), _product),
    **dict.fromkeys(("add", "sub", "mul", "div"), _sum),
    **dict.fromkeys(("_softmax", "_safe_softmax", "softmax"), _softmax),
    "bmm": _batched_product,
    "convolution": _convolution,
    "embedding": _embedding,
    "index": _indexed,
    "cat": _concatenation,
}
JOINING = (_sum, _concatenation, _attended, _batched_product, _indexed)  # of any number of operands
SETTING = (_convolution, _product, _embedding, _softmax)  # whatever the axis was before
