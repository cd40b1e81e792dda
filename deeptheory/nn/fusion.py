"""Layers that are computed together: convolution, batch norm, activation and pooling in fewer passes.

What a network computes does not depend on it, to rounding; which internals it can show does not either: a
`Block` is taken apart into its layers when one of them is asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from numpy.typing import DTypeLike

from deeptheory.nn.activations import SiLU
from deeptheory.nn.convolution import Conv2d
from deeptheory.nn.graph import Node, n_readers
from deeptheory.nn.kernels import fused
from deeptheory.nn.kernels.rows import Normed
from deeptheory.nn.kernels.vector import explicit
from deeptheory.nn.layer import Array, Layer, Shape
from deeptheory.nn.normalisation import BatchNorm2d
from deeptheory.nn.pooling import MaxPool2d
from deeptheory.nn.reshaping import ReLU
from deeptheory.nn.sparse import SparseConv2d

KINDS: dict[type[Layer], int] = {ReLU: fused.RELU, SiLU: fused.SILU}


@dataclass(frozen=True)
class Step:
    """Nodes that are computed together.

    Attributes
    ----------
    nodes : tuple of Node
        In order; all but the last are read by the next one only.
    layer : Layer
        Computes the output of the last from the input of the first: a `Block`, or the layer of the only node.
    """

    nodes: tuple[Node, ...]
    layer: Layer

    @property
    def name(self) -> str:
        """The node that a refused batch is blamed on: batch norm, where there is one."""
        return next((n.name for n in self.nodes if isinstance(n.layer, BatchNorm2d)), self.nodes[0].name)

    def layers(self) -> tuple[tuple[Node, Layer], ...]:
        """The nodes one by one with their layers."""
        return tuple((node, node.layer) for node in self.nodes)


class Block(Layer):
    """A batch norm with the convolution before it and the activation and 2 x 2 pooling after it.

    Parameters
    ----------
    layers : sequence of Layer
        Conv2d or SparseConv2d (optional), BatchNorm2d, ReLU or SiLU (optional), MaxPool2d (optional), in this
        order. They keep the parameters, gradients and buffers.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.conv = layers[0] if isinstance(layers[0], Conv2d | SparseConv2d) else None
        self.after = tuple(layers[1:]) if self.conv else self.layers  # from the norm on
        norm = self.after[0]
        assert isinstance(norm, BatchNorm2d)
        self.norm = norm
        self.kind = next((KINDS[type(layer)] for layer in layers if type(layer) in KINDS), fused.IDENTITY)
        self.size = 2 if isinstance(layers[-1], MaxPool2d) else 1

    def forward(self, x: Array, training: bool = False) -> Array:
        if training:
            if isinstance(self.conv, SparseConv2d):
                raise self.conv.refuse_training()
            h, sums = (
                self.conv.forward_with_sums(x) if self.conv else (x, fused.channel_sums(x, self.workspace))
            )
            self.norm.use_batch(h, *sums)
        else:
            h = self.conv.forward(x) if self.conv else x
            self.norm.use_running(h)
        return fused.forward(h, self.norm.slope, self.norm.shift, self.kind, self.size, self._out(h))

    def infer(self, x: Array) -> Array:
        """The output by the running statistics; `backward` cannot follow."""
        if self.conv is None:
            return self.forward(x)
        self.norm.use_running(x)
        epilogue = fused.Epilogue(self.norm.slope, self.norm.shift, self.kind, self.size)
        return self.conv.infer(x, epilogue, self.scratch)

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        if isinstance(self.conv, SparseConv2d):
            raise self.conv.refuse_training()
        norm, h = self.norm, self.norm.x
        sums = fused.gradient_sums(h, dout, norm.slope, norm.shift, self.kind, self.size, self.workspace)
        slope_x, shift = norm.set_gradients(*sums)
        gradient = Normed(h.reshape(-1), norm.slope, norm.shift, slope_x, shift, self.kind)
        if self.conv and self.conv.joins_norm(dout, self.size, input_gradient):
            return self.conv.backward_through_norm(dout, gradient, self.size, input_gradient)
        dh = self.gradient_memory(dout, h.shape)
        fused.backward(dout, gradient, self.size, dh)
        return self.conv.backward(dh, input_gradient) if self.conv else dh

    def take_apart(self) -> Iterator[Array]:
        """Outputs of the layers one by one, after `forward`; each of them is ready for `backward` then."""
        h = self.norm.x
        if self.conv:
            yield h
        h = self.norm.normalise(h)
        yield h
        for layer in self.after[1:]:
            h = layer.forward(h)
            yield h

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
    while index < len(nodes):
        taken = _block(nodes[index:], readers, shapes) if explicit(dtype) else 0
        group = tuple(nodes[index : index + max(taken, 1)])
        layer = Block([node.layer for node in group]) if taken else group[0].layer
        steps.append(Step(group, layer))
        index += len(group)
    return tuple(steps)


def _block(nodes: Sequence[Node], readers: dict[str, int], shapes: dict[str, Shape]) -> int:
    """How many of the first nodes make up a block."""

    def follows(place: int, *kinds: type[Layer]) -> bool:
        if place == len(nodes) or type(nodes[place].layer) not in kinds:
            return False
        before = nodes[place - 1].name
        return place == 0 or (nodes[place].inputs == (before,) and readers[before] == 1)

    count = int(follows(0, Conv2d, SparseConv2d))
    if not follows(count, BatchNorm2d):
        return 0
    height, width, channels = shapes[nodes[count].name]
    if channels % fused.LANES:
        return 0
    count += 1
    if follows(count, *KINDS):
        count += 1
    if follows(count, MaxPool2d) and height % 2 == 0 and width % 2 == 0:
        pool = nodes[count].layer
        assert isinstance(pool, MaxPool2d)
        count += pool.size == pool.stride == 2
    return count
