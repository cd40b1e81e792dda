"""Multi-head self-attention, with the heads as filters."""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.errors import InputError
from deeptheory.nn.kernels import attention, convolution, definitions
from deeptheory.nn.kernels.compiled_kernel import geometry
from deeptheory.nn.layers.base import Array, Layer, Shape, check_shape


def unit_gain(shape: Shape, rng: np.random.Generator, dtype: DTypeLike) -> Array:
    """Gaussian weights (heads, C, 3, d) of variance 1/C, which keep the size of what they read."""
    return (rng.standard_normal(shape) / math.sqrt(shape[1])).astype(dtype)


class SelfAttention(Layer):
    """Heads that mix tokens, `(N, T, 1, C)` -> `(N, T, d, heads)`; the output projection is a layer of its own.

    Of every token t head h computes a query, a key and a value of d numbers and puts out
    z_t = sum_j softmax_j(q_t k_j/sqrt(d)) v_j over the tokens j (Vaswani et al., "Attention is all you need").
    The heads are the last axis, so that a head is a filter as in any other stage, with T d positions: its slice of
    what the output projection reads, a convolution by kernels (1, d) from `heads` to C channels.

    The second input, if there is one, is 0 at tokens that are padding, `(N, T, 1, 1)` (`PaddingMask`): no token
    looks at them.

    Parameters
    ----------
    n_channels : int
        C.
    n_heads : int
        A divisor of C; d = C/n_heads.
    bias : bool
        Whether queries, keys and values have biases, zero at first.
    rng : numpy.random.Generator
        Source of the initial weights (`unit_gain`).

    Raises
    ------
    InputError
        The heads do not divide the channels.

    Notes
    -----
    `weight` has the shape (heads, C, 3, d), so that [h, a] are all weights between channel a and head h; `bias` is
    flat, heads*3*d. Whole vectors are used where d is a multiple of 16. Memory does not grow with T**2 there.
    """

    joins = True

    def __init__(
        self,
        n_channels: int,
        n_heads: int,
        bias: bool = False,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        if n_heads < 1 or n_channels % n_heads:
            raise InputError(
                "heads",
                f"a divisor of the width, {n_channels} channels",
                str(n_heads),
                "choose other heads or another network.width",
            )
        shape = n_heads, n_channels, 3, n_channels // n_heads
        self.parameters["weight"] = unit_gain(shape, rng, dtype)
        if bias:
            self.parameters["bias"] = np.zeros(3 * n_channels, dtype)

    def output_shape(self, input_shape: Any) -> Shape:
        n_heads, n_channels, _, depth = self.parameters["weight"].shape
        check_shape(input_shape[0], "T", 1, n_channels)
        if len(input_shape) > 1:
            check_shape(input_shape[1], input_shape[0][0], 1, 1)
        return input_shape[0][0], depth, n_heads

    def multiply_adds(self, input_shape: Any) -> int:
        return int(input_shape[0][0]) * self.parameters["weight"].size

    def forward(self, x: Any, training: bool = False) -> Array:
        self.x, kept = x[0], x[1] if len(x) > 1 else None
        self.n_inputs = len(x)
        n, tokens = self.x.shape[:2]
        n_heads, _, _, depth = self.parameters["weight"].shape
        self.kept = np.ones((n, tokens), bool) if kept is None else kept.reshape(n, tokens) != 0
        out = self.scratch.array("out", (n, tokens, depth, n_heads), self.x.dtype)
        if self._applies():
            sizes, matrix = (
                attention.sizes_of(tokens, self.parameters["weight"], self._scale()),
                self._matrix(),
            )
            beyond = n * tokens + attention.READ_BEYOND
            memory = self.scratch.array("qkv", (beyond, n_heads, 3, depth), self.x.dtype)
            self.qkv = memory[: n * tokens].reshape(n, tokens, n_heads, 3, depth)
            self.stats = self.scratch.array("stats", (n, n_heads, 2, sizes.width), self.x.dtype)
            bias = self.parameters.get("bias")
            given = self.x, self.kept, matrix, bias, sizes
            attention.forward(*given, self.qkv, self.stats, out, self.workspace)
        else:
            self.qkv = self._projected()
            self.weights = definitions.attention_weights(self.qkv, self.kept, self._scale())
            np.copyto(out, definitions.attention(self.qkv, self.weights))
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Any:
        n, tokens, _, n_heads = dout.shape
        weight, matrix = self.parameters["weight"], self._matrix()
        dx = self.gradient_memory(dout, self.x.shape) if input_gradient else None
        dmatrix = self.workspace.array("dmatrix", matrix.shape, dout.dtype)
        dbias = self.scratch.array("dbias", (len(matrix),), dout.dtype) if "bias" in self.parameters else None
        if self._applies():
            sizes = attention.sizes_of(tokens, weight, self._scale())
            given = self.x, self.kept, matrix, sizes, self.qkv, self.stats
            attention.backward(*given, dout, dmatrix, dbias, dx, self.workspace)
        else:
            dqkv = definitions.attention_gradient(self.qkv, self.weights, self._scale(), dout)
            rows, kernels = dqkv.reshape(n, tokens, 1, -1), (*matrix.shape, 1, 1)
            images = geometry(self.x, matrix.reshape(kernels), 1, 0)
            convolution.backward_weights(images, self.x, rows, dmatrix.reshape(kernels), self.workspace)
            if dbias is not None:
                np.sum(rows, axis=(0, 1, 2), out=dbias)
            if dx is not None:
                convolution.backward_data(images, rows, matrix.reshape(kernels), dx, self.workspace)
        dweight = self.gradients["weight"] = self.scratch.array("dweight", weight.shape, dout.dtype)
        np.copyto(dweight, dmatrix.reshape(n_heads, 3, -1, weight.shape[1]).transpose(0, 3, 1, 2))
        if dbias is not None:
            self.gradients["bias"] = dbias
        return (dx, *(None,) * (self.n_inputs - 1)) if input_gradient else None

    def maps(self, x: Array, kept: Array | None = None) -> Array:
        """The weights of attention for inputs (N, T, 1, C): (N, heads, T, T), a row for every query."""
        self.forward((x,) if kept is None else (x, kept))
        return definitions.attention_weights(self.qkv, self.kept, self._scale())

    def _scale(self) -> Any:
        weight = self.parameters["weight"]
        return weight.dtype.type(1 / math.sqrt(weight.shape[-1]))

    def _applies(self) -> bool:
        _, n_channels, _, depth = self.parameters["weight"].shape
        return attention.applies(self.x.dtype, self.x.shape[1], n_channels, depth)

    def _matrix(self) -> Array:
        """The weights as rows of what a token is multiplied with, (heads*3*d, C)."""
        weight = self.parameters["weight"]
        n_heads, n_channels, _, depth = weight.shape
        matrix = self.scratch.array("matrix", (n_heads, 3, depth, n_channels), weight.dtype)
        np.copyto(matrix, weight.transpose(0, 2, 3, 1))
        return matrix.reshape(-1, n_channels)

    def _projected(self) -> Array:
        """Queries, keys and values (N, T, heads, 3, d)."""
        matrix, (n, tokens) = self._matrix(), self.x.shape[:2]
        n_heads, _, _, depth = self.parameters["weight"].shape
        qkv = self.scratch.array("qkv", (n, tokens, 1, len(matrix)), self.x.dtype)
        weight = matrix.reshape(*matrix.shape, 1, 1)
        convolution.forward(geometry(self.x, weight, 1, 0), self.x, weight, qkv, self.workspace)
        if "bias" in self.parameters:
            qkv += self.parameters["bias"]
        return qkv.reshape(n, tokens, n_heads, 3, depth)
