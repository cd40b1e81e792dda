"""Consecutive sparse convolutions, computed with one image in each lane of a vector throughout."""

from collections.abc import Iterator, Sequence

import numpy as np

from deeptheory.nn.kernels import batch_lanes, fused_norm
from deeptheory.nn.layers.activations import KINDS
from deeptheory.nn.layers.base import Array, Joined, Layer
from deeptheory.nn.layers.normalisation import BatchNorm2d
from deeptheory.nn.layers.pooling import MaxPool2d
from deeptheory.nn.layers.sparse import SparseConv2d


class SparseChain(Joined):
    """Sparse convolutions, each with the batch norm, activation and 2 x 2 pooling after it; for inference only.

    Parameters
    ----------
    layers : sequence of Layer
        SparseConv2d that `takes_lanes`, BatchNorm2d (optional), ReLU or SiLU (optional), MaxPool2d (optional),
        in this order, repeated.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.parts: list[tuple[SparseConv2d, list[Layer]]] = []
        for layer in layers:
            if isinstance(layer, SparseConv2d):
                self.parts.append((layer, []))
            else:
                self.parts[-1][1].append(layer)

    def forward(self, x: Array, training: bool = False) -> Array:
        if training:
            raise self.parts[0][0].refuse_training()
        self.x = x
        return self.infer(x)

    def infer(self, x: Array) -> Array:
        lanes = batch_lanes.array("lanes 0", x.shape, self.workspace)
        batch_lanes.pack(x, lanes, self.workspace)
        shape = x.shape
        for number, (conv, after) in enumerate(self.parts):
            epilogue = _epilogue(conv, after)
            n, height, width, n_out = (len(x), *conv.output_shape(shape[1:]))
            out_shape = n, height // epilogue.size, width // epilogue.size, n_out
            out = batch_lanes.array(f"lanes {1 - number % 2}", out_shape, self.workspace)
            conv.convolve_lanes(lanes, shape, epilogue, out)
            lanes, shape = out, out_shape
        result = self.scratch.array("out", shape, x.dtype)
        batch_lanes.unpack(lanes, result)
        return result

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        raise self.parts[0][0].refuse_training()

    def take_apart(self) -> Iterator[Array]:
        h = self.x
        for layer in self.layers:
            h = layer.forward(h)
            yield h


def _epilogue(conv: SparseConv2d, after: Sequence[Layer]) -> fused_norm.Epilogue:
    """What follows a convolution, with its bias in the shift."""
    slope = np.ones(conv.n_out, np.float32)
    shift = conv.parameters.get("bias", np.zeros(conv.n_out, np.float32))
    kind, size = fused_norm.IDENTITY, 1
    for layer in after:
        if isinstance(layer, BatchNorm2d):
            layer.use_running(shift)
            slope, shift = layer.slope, layer.slope * shift + layer.shift
        elif isinstance(layer, MaxPool2d):
            size = 2
        else:
            kind = KINDS[type(layer)]
    return fused_norm.Epilogue(slope, shift, kind, size)
