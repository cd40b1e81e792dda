"""Layers that are computed together: convolution, batch norm, activation and pooling in fewer passes over memory.

The results are the same up to rounding. All internals remain available: when one inside a `Joined` layer is asked
for, its layers are computed one by one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from numpy.typing import DTypeLike

from deeptheory.nn.graph import Node, n_readers
from deeptheory.nn.kernels import fused_norm
from deeptheory.nn.kernels.norm_rows import Normed
from deeptheory.nn.kernels.vectors import LANES, explicit
from deeptheory.nn.layers.activations import KINDS
from deeptheory.nn.layers.base import Array, Joined, Layer, Shape
from deeptheory.nn.layers.convolution import Conv2d
from deeptheory.nn.layers.normalisation import BatchNorm2d
from deeptheory.nn.layers.pooling import MaxPool2d
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
        Computes the output of the last from the input of the first: `Joined`, or the layer of the only node.
    """

    nodes: tuple[Node, ...]
    layer: Layer

    @property
    def name(self) -> str:
        """The node that an error about a batch names: the batch norm, if there is one."""
        return next((n.name for n in self.nodes if isinstance(n.layer, BatchNorm2d)), self.nodes[0].name)

    def layers(self) -> tuple[tuple[Node, Layer], ...]:
        """The nodes one by one with their layers."""
        return tuple((node, node.layer) for node in self.nodes)


class Block(Joined):
    """A batch norm with the convolution before it and the activation and 2 x 2 pooling after it.

    Parameters
    ----------
    layers : sequence of Layer
        Conv2d (optional), BatchNorm2d, ReLU or SiLU (optional), MaxPool2d (optional), in this order.
    """

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

    def forward(self, x: Array, training: bool = False) -> Array:
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
        return fused_norm.forward(h, self._epilogue(), self._out(h))

    def infer(self, x: Array) -> Array:
        if self.conv is None:
            return self.forward(x)
        self.norm.use_running(x)
        return self.conv.infer(x, self._epilogue(), self.scratch)

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        norm, h = self.norm, self.norm.x
        sums = fused_norm.gradient_sums(h, dout, self._epilogue(), self.workspace)
        slope_x, shift = norm.set_gradients(*sums)
        gradient = Normed(h.reshape(-1), norm.slope, norm.shift, slope_x, shift, self.kind)
        if self.conv and self.conv.joins_norm(self.size, input_gradient):
            return self.conv.backward_through_norm(dout, gradient, self.size, input_gradient)
        dh = self.gradient_memory(dout, h.shape)
        fused_norm.backward(dout, gradient, self.size, dh)
        return self.conv.backward(dh, input_gradient) if self.conv else dh

    def take_apart(self) -> Iterator[Array]:
        h = self.norm.x
        if self.conv:
            yield h
        h = self.norm.normalise(h)
        yield h
        for layer in self.after_conv[1:]:
            h = layer.forward(h)
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
    vectorised = explicit(dtype)
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
    return _end(nodes, count + 1, readers, shapes)


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
