"""Layers computed together: convolution, batch norm, sum, activation and pooling in fewer passes over memory.

The results are the same up to rounding. All internals remain available: when one inside a `Joined` layer is asked
for, its layers are computed one by one.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import DTypeLike

from deeptheory.nn.graph import Node, n_readers
from deeptheory.nn.kernels import fused_norm, joined_sum
from deeptheory.nn.kernels.norm_rows import Normed
from deeptheory.nn.kernels.vectors import LANES, explicit
from deeptheory.nn.layers.activations import KINDS
from deeptheory.nn.layers.base import Array, Joined, Layer, Shape
from deeptheory.nn.layers.convolution import Conv2d
from deeptheory.nn.layers.dropout import Dropout
from deeptheory.nn.layers.normalisation import BatchNorm2d
from deeptheory.nn.layers.pooling import MaxPool2d
from deeptheory.nn.layers.reshaping import ReLU
from deeptheory.nn.layers.residual import StochasticDepth, Sum
from deeptheory.nn.layers.sparse import SparseConv2d
from deeptheory.nn.sparse_chain import SparseChain


@dataclass(frozen=True)
class Step:
    """Nodes that are computed together.

    Attributes
    ----------
    nodes : tuple of Node
        In order; each but the last is read by the next one only.
    layer : Layer
        Computes the output of the last from what the nodes read: `Joined`, or the layer of the only node.
    """

    nodes: tuple[Node, ...]
    layer: Layer

    @property
    def name(self) -> str:
        """The node that an error about a batch names: the batch norm, if there is one."""
        return next((n.name for n in self.nodes if isinstance(n.layer, BatchNorm2d)), self.nodes[0].name)

    @functools.cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of what the nodes read that is not of themselves: the inputs of the layer, in this order."""
        own = {node.name for node in self.nodes}
        return tuple(name for node in self.nodes for name in node.inputs if name not in own)

    def input_among(self, outputs: Mapping[str, Array]) -> Any:
        """The input of the layer: one of the outputs, or a tuple of them."""
        if len(self.inputs) > 1 or self.nodes[0].layer.joins:
            return tuple(outputs[name] for name in self.inputs)
        return outputs[self.inputs[0]]

    def layers(self) -> tuple[tuple[Node, Layer], ...]:
        """The nodes one by one with their layers."""
        return tuple((node, node.layer) for node in self.nodes)


class Block(Joined):
    """A batch norm with the convolution before it and the activation and 2 x 2 pooling after it.

    Or with a sum and at most a ReLU after it: its input is then a pair, the other term of the sum the second.

    Parameters
    ----------
    layers : sequence of Layer
        Conv2d (optional), BatchNorm2d, ReLU or SiLU (optional), MaxPool2d (optional), in this order; or Conv2d
        (optional), BatchNorm2d, Sum, ReLU (optional).
    """

    keeps_gradients = True

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.conv = layers[0] if isinstance(layers[0], Conv2d) else None
        self.after_conv = tuple(layers[1:]) if self.conv else self.layers  # batch norm and all behind it
        norm = self.after_conv[0]
        assert isinstance(norm, BatchNorm2d)
        self.norm = norm
        self.kind = next(
            (KINDS[type(layer)] for layer in layers if type(layer) in KINDS), fused_norm.IDENTITY
        )
        self.size = 2 if isinstance(layers[-1], MaxPool2d) else 1
        self.adds = any(isinstance(layer, Sum) for layer in layers)
        self.term: Array | None = None  # of the sum

    def forward(self, x: Any, training: bool = False) -> Array:
        x, self.term = x if self.adds else (x, None)
        if training:
            h, sums = (
                self.conv.forward_with_sums(x)
                if self.conv
                else (x, fused_norm.channel_sums(x, self.workspace))
            )
            self.norm.use_batch(h, *sums)
        else:
            h = self.conv.forward(x) if self.conv else x
            self.norm.use_running(h)
        self.out = fused_norm.forward(h, self._epilogue(), self._out(h), self.term)
        return self.out

    def infer(self, x: Any) -> Array:
        if self.conv is None:
            return self.forward(x)
        x, term = x if self.adds else (x, None)
        self.norm.use_running(x)
        if term is None:
            return self.conv.infer(x, self._epilogue(), self.scratch)
        out = self.conv.infer(x, self._epilogue()._replace(kind=fused_norm.IDENTITY), self.scratch)
        joined_sum.add(out.reshape(-1), term.reshape(-1), self.kind)
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | tuple[Array | None, ...] | None:
        norm, h, kind = self.norm, self.norm.x, self.kind
        if self.adds:
            dsum, kind = (
                self.scratch.array("gradient of the sum", dout.shape, dout.dtype),
                fused_norm.IDENTITY,
            )
            sums = joined_sum.gradient_sums(h, self.out, dout, self.kind, dsum, self.workspace)
            dout = dsum
        else:
            sums = fused_norm.gradient_sums(h, dout, self._epilogue(), self.workspace)
        slope_x, shift = norm.set_gradients(*sums)
        gradient = Normed(h.reshape(-1), norm.slope, norm.shift, slope_x, shift, kind)
        dx = self._through_conv(dout, gradient, input_gradient)
        return (dx, dout) if self.adds else dx

    def _through_conv(self, dout: Array, gradient: Normed, input_gradient: bool) -> Array | None:
        """The gradient of the convolution's input, given that of what follows its norm; `dout` is not changed."""
        if self.conv and self.conv.joins_norm(self.size, input_gradient):
            return self.conv.backward_through_norm(dout, gradient, self.size, input_gradient)
        dh = self.gradient_memory(dout, self.norm.x.shape)
        fused_norm.backward(dout, gradient, self.size, dh)
        return self.conv.backward(dh, input_gradient) if self.conv else dh

    def take_apart(self) -> Iterator[Array]:
        h = self.norm.x
        if self.conv:
            yield h
        h = self.norm.normalise(h)
        yield h
        for layer in self.after_conv[1:]:
            h = layer.forward((h, self.term) if layer.joins else h)
            yield h

    def _epilogue(self) -> fused_norm.Epilogue:
        return fused_norm.Epilogue(self.norm.slope, self.norm.shift, self.kind, self.size)

    def _out(self, h: Array) -> Array:
        n, height, width, channels = h.shape
        return self.scratch.array("out", (n, height // self.size, width // self.size, channels), h.dtype)


def plan(nodes: Sequence[Node], shapes: dict[str, Shape], dtype: DTypeLike) -> tuple[Step, ...]:
    """The steps in which a network is computed.

    Parameters
    ----------
    nodes : sequence of Node
    shapes : mapping of str to tuple of int
        Output shapes of the nodes (`graph.output_shapes`).
    dtype : float32 or float64
        Of the activations.
    """
    readers, steps, index = n_readers(nodes), list[Step](), 0
    _let_sums_overwrite(nodes, readers)
    vectorised = explicit(dtype)
    nodes = _shortcuts_early(nodes)
    while index < len(nodes):
        rest = nodes[index:]
        in_block = _block(rest, readers, shapes) if vectorised else 0
        in_chain = _chain(rest, readers, shapes) if vectorised else 0
        group = tuple(rest[: max(in_block, in_chain, 1)])
        layers = [node.layer for node in group]
        steps.append(
            Step(group, Block(layers) if in_block else SparseChain(layers) if in_chain else layers[0])
        )
        index += len(group)
    return tuple(steps)


def _let_sums_overwrite(nodes: Sequence[Node], readers: dict[str, int]) -> None:
    """Spare sums their memory where they alone read their first term and its layer needs no output to go back."""
    layers = {node.name: node.layer for node in nodes}
    for node in nodes:
        if isinstance(node.layer, Sum):
            first, *others = node.inputs
            spare = type(layers.get(first)) in (Conv2d, Dropout, StochasticDepth) and readers[first] == 1
            node.layer.overwrites = spare and first not in others


def _shortcuts_early(nodes: Sequence[Node]) -> list[Node]:
    """The nodes with a shortcut that is computed between a batch norm and their sum right behind what it reads."""
    early = list(nodes)
    for norm, shortcut, joined in zip(nodes, nodes[1:], nodes[2:], strict=False):
        adds = type(joined.layer) is Sum and {norm.name, shortcut.name} == set(joined.inputs)
        if adds and isinstance(norm.layer, BatchNorm2d) and norm.name not in shortcut.inputs:
            early.remove(shortcut)
            read = [place for place, node in enumerate(early) if node.name in shortcut.inputs]
            early.insert(max(read, default=-1) + 1, shortcut)
    return early


def _follows(nodes: Sequence[Node], index: int, readers: dict[str, int], *kinds: type[Layer]) -> bool:
    """Whether the node at `index` is of these kinds and the only reader of the node before it."""
    if index == len(nodes) or type(nodes[index].layer) not in kinds:
        return False
    before = nodes[index - 1].name
    return index == 0 or (nodes[index].inputs == (before,) and readers[before] == 1)


def _block(nodes: Sequence[Node], readers: dict[str, int], shapes: dict[str, Shape]) -> int:
    """Number of nodes, from the first, that form a block."""
    count = int(_follows(nodes, 0, readers, Conv2d))
    if not _follows(nodes, count, readers, BatchNorm2d):
        return 0
    if shapes[nodes[count].name][-1] % LANES:
        return 0
    count += 1
    if _adds(nodes, count, readers):
        return count + 1 + _follows(nodes, count + 1, readers, ReLU)
    return _end(nodes, count, readers, shapes)


def _adds(nodes: Sequence[Node], index: int, readers: dict[str, int]) -> bool:
    """Whether the node at `index` adds the output of the node before it, which nothing else reads, to another."""
    if index == len(nodes) or type(nodes[index].layer) is not Sum:
        return False
    before, inputs = nodes[index - 1].name, nodes[index].inputs
    return len(inputs) == 2 and inputs.count(before) == readers[before] == 1


def _chain(nodes: Sequence[Node], readers: dict[str, int], shapes: dict[str, Shape]) -> int:
    """Number of nodes, from the first, that form a chain of sparse convolutions."""
    count = 0
    while _follows(nodes, count, readers, SparseConv2d):
        conv = nodes[count].layer
        assert isinstance(conv, SparseConv2d)
        if not conv.takes_lanes:
            break
        count += 1
        count += _follows(nodes, count, readers, BatchNorm2d)
        count = _end(nodes, count, readers, shapes)
    return count


def _end(nodes: Sequence[Node], count: int, readers: dict[str, int], shapes: dict[str, Shape]) -> int:
    """`count` plus the activation and the 2 x 2 pooling of an even image that follow, if any."""
    count += _follows(nodes, count, readers, *KINDS)
    if _follows(nodes, count, readers, MaxPool2d):
        pool, (height, width, _) = nodes[count].layer, shapes[nodes[count - 1].name]
        assert isinstance(pool, MaxPool2d)
        is_plain = pool.size == pool.stride == 2 and pool.padding == 0
        count += is_plain and height % 2 == 0 and width % 2 == 0
    return count
