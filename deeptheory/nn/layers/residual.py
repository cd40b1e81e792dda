"""The layers of blocks with branches: sum, concatenation, shortcut, scale of a branch, stochastic depth."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.errors import InputError
from deeptheory.nn import kernels
from deeptheory.nn.layers.base import Array, Layer, Shape, check_shape

INITIAL_SCALE = 1e-6  # of a branch, as in ConvNeXt


class Sum(Layer):
    """Sum of several outputs of the same shape (He et al., "Deep residual learning").

    Attributes
    ----------
    overwrites : bool
        Whether it writes over its first input; a network says so where nothing else reads that (`fusion.plan`).
    """

    joins = True

    def __init__(self) -> None:
        super().__init__()
        self.overwrites = False

    def output_shape(self, input_shape: Any) -> Shape:
        if len(set(input_shape)) != 1:
            raise InputError("inputs", "the same shape", " and ".join(map(str, input_shape)))
        first: Shape = input_shape[0]
        return first

    def forward(self, x: Any, training: bool = False) -> Array:
        out = x[0] if self.overwrites else self.scratch.array("out", x[0].shape, x[0].dtype)
        if not self.overwrites:
            kernels.copy(out, x[0])
        for term in x[1:]:
            kernels.add(out, term)
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        return dout


class Concat(Layer):
    """Outputs of the same positions side by side: the channels of the first input, then those of the next."""

    joins = True

    def output_shape(self, input_shape: Any) -> Shape:
        if len({tuple(shape[:-1]) for shape in input_shape}) != 1:
            raise InputError("inputs", "the same positions", " and ".join(map(str, input_shape)))
        return *input_shape[0][:-1], sum(shape[-1] for shape in input_shape)

    def forward(self, x: Any, training: bool = False) -> Array:
        self.ends = np.cumsum([part.shape[-1] for part in x])
        out = self.scratch.array("out", (*x[0].shape[:-1], int(self.ends[-1])), x[0].dtype)
        return np.concatenate(x, axis=-1, out=out)

    def backward(self, dout: Array, input_gradient: bool = True) -> tuple[Array, ...] | None:
        return tuple(np.split(dout, self.ends[:-1], axis=-1)) if input_gradient else None


class Subsample(Layer):
    """Every `stride`-th position, with channels of zeros appended; it has no parameters.

    Option A of He et al., "Deep residual learning", for a shortcut to fewer positions and more channels.

    Parameters
    ----------
    n_out : int
        Number of channels of the output, at least those of the input.
    """

    def __init__(self, n_out: int, stride: int = 2) -> None:
        super().__init__()
        self.n_out, self.stride = n_out, stride

    def output_shape(self, input_shape: Shape) -> Shape:
        check_shape(input_shape, "H", "W", "C")
        height, width, channels = input_shape
        if channels > self.n_out:
            raise InputError("input", f"at most {self.n_out} channels", f"shape {tuple(input_shape)}")
        return -(-height // self.stride), -(-width // self.stride), self.n_out

    def forward(self, x: Array, training: bool = False) -> Array:
        self.shape = x.shape
        out = self.scratch.array("out", self.shape_for(x), x.dtype)
        kernels.subsample(x, self.stride, out)
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        dx = self.scratch.array("dx", self.shape, dout.dtype)
        kernels.subsample_backward(dout, self.stride, dx)
        return dx


class LayerScale(Layer):
    """y = weight*x with one weight for each channel (the last axis).

    On the branch of a residual block it starts small (Touvron et al., "Going deeper with image transformers").

    Parameters
    ----------
    n_channels : int
    """

    def __init__(self, n_channels: int, dtype: DTypeLike = np.float32) -> None:
        super().__init__()
        self.parameters["weight"] = np.full(n_channels, INITIAL_SCALE, dtype)

    def output_shape(self, input_shape: Shape) -> Shape:
        if input_shape[-1] != (n_channels := len(self.parameters["weight"])):
            raise InputError("input", f"shape (..., {n_channels})", f"shape {tuple(input_shape)}")
        return input_shape

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x, out = x, self.scratch.array("out", self.shape_for(x), x.dtype)
        np.multiply(x, self.parameters["weight"], out=out)
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        weight = self.parameters["weight"]
        rows = (a.reshape(-1, len(weight)) for a in (dout, self.x))
        self.gradients["weight"] = kernels.channel_sums(*rows)[1].astype(weight.dtype)
        if not input_gradient:
            return None
        dout *= weight
        return dout


class StochasticDepth(Layer):
    """In training, sets each input to zero with probability p, and divides the others by 1 - p.

    On the branch of a residual block it leaves only the shortcut (Huang et al., "Deep networks with stochastic
    depth"). It overwrites its input.

    Parameters
    ----------
    probability : float
        p, at least 0 and below 1.
    rng : numpy.random.Generator
        Source of the seed.

    Notes
    -----
    The draws are a function of the buffers `seed` and `counter` (the number of training batches), so that a
    resumed network continues them.
    """

    in_place = True

    def __init__(self, probability: float, *, rng: np.random.Generator) -> None:
        super().__init__()
        if not 0 <= probability < 1:
            raise InputError("probability of stochastic depth", "at least 0 and below 1", str(probability))
        self.probability = probability
        self.buffers["seed"] = rng.integers(2**63, size=1)
        self.buffers["counter"] = np.zeros(1, np.int64)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.factors = None
        if training:
            draws = np.random.default_rng([self.buffers["seed"][0], self.buffers["counter"][0]])
            start, n_inputs = self.group.offset(len(x))
            kept = self._draws(draws, n_inputs, x.shape[1:])[start : start + len(x)] >= self.probability
            self.factors = (kept / (1 - self.probability)).astype(x.dtype)
            self.buffers["counter"] += 1
            x *= self.factors
        return x

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        if self.factors is not None:
            dout *= self.factors
        return dout

    def _draws(self, rng: np.random.Generator, n_inputs: int, shape: Shape) -> Array:
        """A number within [0, 1) for what is dropped as one, of all inputs of the group."""
        return rng.random((n_inputs, *(1,) * len(shape)))
