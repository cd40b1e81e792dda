"""Tokens `(N, T, 1, C)`: from images or words, with positions, and reduced to one vector for each input."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.errors import InputError
from deeptheory.nn.kernels import definitions, embedding
from deeptheory.nn.layers.base import Array, Layer, Shape, check_shape

SMALL = 0.02  # standard deviation of initial positions
PADDING = 0  # the id of what fills a short sequence


def unit_normal(shape: Shape, rng: np.random.Generator, dtype: DTypeLike) -> Array:
    """Gaussian weights of standard deviation 1."""
    return rng.standard_normal(shape).astype(dtype)


def small_normal(shape: Shape, rng: np.random.Generator, dtype: DTypeLike) -> Array:
    """Gaussian weights of standard deviation 0.02."""
    return (SMALL * rng.standard_normal(shape)).astype(dtype)


class Tokens(Layer):
    """Positions of an image as tokens, row by row: `(N, H, W, C)` -> `(N, H*W, 1, C)`."""

    def output_shape(self, input_shape: Shape) -> Shape:
        check_shape(input_shape, "H", "W", "C")
        return input_shape[0] * input_shape[1], 1, input_shape[2]

    def forward(self, x: Array, training: bool = False) -> Array:
        self.shape = x.shape
        return x.reshape(self.shape_for(x))

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        return dout.reshape(self.shape)


class Positions(Layer):
    """Adds a trained vector for every position to the tokens.

    Parameters
    ----------
    n_tokens, n_channels : int
        `weight` is (n_tokens, n_channels); shorter sequences use its first rows.
    rng : numpy.random.Generator
        Source of the initial weights (`small_normal`).
    """

    def __init__(
        self, n_tokens: int, n_channels: int, *, rng: np.random.Generator, dtype: DTypeLike = np.float32
    ) -> None:
        super().__init__()
        self.parameters["weight"] = small_normal((n_tokens, n_channels), rng, dtype)

    def output_shape(self, input_shape: Shape) -> Shape:
        n_tokens, n_channels = self.parameters["weight"].shape
        check_shape(input_shape, "T", 1, n_channels)
        if input_shape[0] > n_tokens:
            found = f"{input_shape[0]} tokens"
            raise InputError("input", f"at most {n_tokens} tokens, one for each position", found)
        return input_shape

    def forward(self, x: Array, training: bool = False) -> Array:
        out = self.scratch.array("out", self.shape_for(x), x.dtype)
        np.add(x, self.parameters["weight"][: x.shape[1], None], out=out)
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        weight = self.parameters["weight"]
        dweight = self.gradients["weight"] = self.scratch.array("dweight", weight.shape, weight.dtype)
        n_tokens = dout.shape[1]
        dweight[n_tokens:] = 0
        np.sum(dout[:, :, 0], axis=0, out=dweight[:n_tokens])
        return dout


class SinePositions(Layer):
    """Adds sines and cosines of the position, of wavelengths up to 10000*2*pi tokens (Vaswani et al.)."""

    def output_shape(self, input_shape: Shape) -> Shape:
        check_shape(input_shape, "T", 1, "C")
        return input_shape

    def forward(self, x: Array, training: bool = False) -> Array:
        table = self.scratch.array("table", (x.shape[1], 1, x.shape[-1]), x.dtype)
        table[:, 0] = definitions.sine_positions(x.shape[1], x.shape[-1])
        out = self.scratch.array("out", self.shape_for(x), x.dtype)
        np.add(x, table, out=out)
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        return dout


class ClassToken(Layer):
    """Puts a trained token before all others, zero at first: `(N, T, 1, C)` -> `(N, T + 1, 1, C)`.

    (Devlin et al., "BERT"; Dosovitskiy et al., "An image is worth 16x16 words".)
    """

    def __init__(self, n_channels: int, dtype: DTypeLike = np.float32) -> None:
        super().__init__()
        self.parameters["weight"] = np.zeros(n_channels, dtype)

    def output_shape(self, input_shape: Shape) -> Shape:
        check_shape(input_shape, "T", 1, len(self.parameters["weight"]))
        return input_shape[0] + 1, *input_shape[1:]

    def forward(self, x: Array, training: bool = False) -> Array:
        out = self.scratch.array("out", self.shape_for(x), x.dtype)
        out[:, 0], out[:, 1:] = self.parameters["weight"], x
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        self.gradients["weight"] = dout[:, 0].sum(axis=(0, 1))
        if not input_gradient:
            return None
        dx = self.gradient_memory(dout, (len(dout), dout.shape[1] - 1, *dout.shape[2:]))
        np.copyto(dx, dout[:, 1:])
        return dx


class FirstToken(Layer):
    """The first token alone, which `ClassToken` has put there: `(N, T, 1, C)` -> `(N, C)`."""

    def output_shape(self, input_shape: Shape) -> Shape:
        check_shape(input_shape, "T", 1, "C")
        return (input_shape[-1],)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.shape = x.shape
        out = self.scratch.array("out", self.shape_for(x), x.dtype)
        np.copyto(out, x[:, 0, 0])
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        dx = self.gradient_memory(dout, self.shape)
        dx[:] = 0
        dx[:, 0, 0] = dout
        return dx


class SequencePool(Layer):
    """Mean over tokens by weights softmax_t(w x_t), `(N, T, 1, C)` -> `(N, C)`; `weight` w (C,) is zero at first.

    So it starts as the plain mean. The second input, if there is one, is 0 at tokens that do not count
    (`PaddingMask`). (Hassani et al., "Escaping the big data paradigm with compact transformers".)
    """

    joins = True

    def __init__(self, n_channels: int, dtype: DTypeLike = np.float32) -> None:
        super().__init__()
        self.parameters["weight"] = np.zeros(n_channels, dtype)

    def output_shape(self, input_shape: Any) -> Shape:
        check_shape(input_shape[0], "T", 1, len(self.parameters["weight"]))
        return (input_shape[0][-1],)

    def forward(self, x: Any, training: bool = False) -> Array:
        self.x, self.n_inputs = x[0][:, :, 0], len(x)
        kept = np.ones(self.x.shape[:2]) if len(x) == 1 else x[1].reshape(self.x.shape[:2])
        out = self.scratch.array("out", (len(self.x), self.x.shape[-1]), self.x.dtype)
        out[:], self.shares = definitions.token_pool(self.x, kept, self.parameters["weight"])
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Any:
        weight = self.parameters["weight"]
        dx, dweight = definitions.token_pool_gradient(self.x, self.shares, weight, dout)
        self.gradients["weight"] = dweight.astype(weight.dtype, copy=False)
        return (dx[:, :, None], *(None,) * (self.n_inputs - 1))


class Embedding(Layer):
    """A trained vector for every word: ids `(N, T, 1, 1)` -> tokens `(N, T, 1, C)`.

    Parameters
    ----------
    n_words, n_channels : int
        `weight` is (n_words, n_channels). Id 0 fills short sequences; what attends and pools leaves it out by a
        `PaddingMask`.
    rng : numpy.random.Generator
        Source of the initial weights (`unit_normal`: as large as what the branches of a transformer add).
    """

    def __init__(
        self, n_words: int, n_channels: int, *, rng: np.random.Generator, dtype: DTypeLike = np.float32
    ) -> None:
        super().__init__()
        self.parameters["weight"] = unit_normal((n_words, n_channels), rng, dtype)

    def output_shape(self, input_shape: Shape) -> Shape:
        check_shape(input_shape, "T", 1, 1)
        return *input_shape[:2], self.parameters["weight"].shape[1]

    def forward(self, x: Array, training: bool = False) -> Array:
        weight = self.parameters["weight"]
        self.ids = x.reshape(-1).astype(np.int64)
        if wrong := self.ids[(self.ids < 0) | (self.ids >= len(weight)) | (self.ids != x.reshape(-1))].size:
            lowest, highest = x.min(), x.max()
            expected = f"whole numbers from 0 to {len(weight) - 1}, the vocabulary"
            raise InputError(
                "ids of words", expected, f"{wrong} others, from {lowest:g} to {highest:g} in all"
            )
        out = self.scratch.array("out", self.shape_for(x), weight.dtype)
        np.take(weight, self.ids, axis=0, out=out.reshape(-1, weight.shape[1]))
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        weight = self.parameters["weight"]
        dweight = self.gradients["weight"] = self.scratch.array("dweight", weight.shape, weight.dtype)
        embedding.add_rows(dout.reshape(len(self.ids), -1), self.ids, dweight)
        return np.zeros((*dout.shape[:3], 1), dout.dtype) if input_gradient else None


class PaddingMask(Layer):
    """1 at words, 0 at padding (id 0), both `(N, T, 1, 1)`: the second input of what attends and pools."""

    def output_shape(self, input_shape: Shape) -> Shape:
        check_shape(input_shape, "T", 1, 1)
        return input_shape

    def forward(self, x: Array, training: bool = False) -> Array:
        out = self.scratch.array("out", self.shape_for(x), x.dtype)
        np.not_equal(x, PADDING, out=out, casting="unsafe")
        if empty := int(np.sum(~out.any(axis=(1, 2, 3)))):
            raise InputError("sequences", "at least one word in each", f"{empty} of padding alone")
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        return np.zeros_like(dout)
