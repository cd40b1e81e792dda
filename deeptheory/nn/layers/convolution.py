"""Layers with weights for every pair of channels: Conv2d and Linear."""

import math

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.errors import InputError
from deeptheory.nn.kernels import Scratch, convolution, fused_norm
from deeptheory.nn.kernels.compiled_kernel import Geometry, geometry
from deeptheory.nn.kernels.norm_rows import Normed
from deeptheory.nn.layers.base import Array, Layer, Shape, check_shape, convolved_shape


def he_normal(shape: Shape, rng: np.random.Generator, dtype: DTypeLike) -> Array:
    """Gaussian weights of variance 2/fan_in (He et al., "Delving deep into rectifiers")."""
    fan_in = math.prod(shape[1:])
    return (rng.standard_normal(shape) * math.sqrt(2 / fan_in)).astype(dtype)


class Conv2d(Layer):
    """Cross-correlation with zero padding, `(N, H, W, n_in)` -> `(N, OH, OW, n_out)`.

    Parameters
    ----------
    n_in, n_out : int
        Number of input and output channels.
    size : int or (int, int)
        Height and width of the kernel.
    stride, padding : int
        The same along both axes.
    bias : bool
        Whether each output channel has a bias, zero at first.
    groups : int
        Outputs of group g read inputs of group g only; with `n_in` groups it is depthwise.
    rng : numpy.random.Generator
        Source of the initial weights (`he_normal`).

    Notes
    -----
    `weight` has the shape (n_out, n_in/groups, kh, kw).
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        size: int | tuple[int, int],
        stride: int = 1,
        padding: int = 0,
        bias: bool = False,
        *,
        groups: int = 1,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        if groups < 1 or n_in % groups or n_out % groups:
            raise InputError("groups", f"a divisor of {n_in} inputs and {n_out} outputs", str(groups))
        self.groups, self.stride, self.padding = groups, stride, padding
        height, width = (size, size) if isinstance(size, int) else size
        self.parameters["weight"] = he_normal((n_out, n_in // groups, height, width), rng, dtype)
        if bias:
            self.parameters["bias"] = np.zeros(n_out, dtype)

    def output_shape(self, input_shape: Shape) -> Shape:
        n_out, n_in, kh, kw = self.parameters["weight"].shape
        return convolved_shape(input_shape, (kh, kw), n_in * self.groups, n_out, self.stride, self.padding)

    def multiply_adds(self, input_shape: Shape) -> int:
        height, width, _ = self.output_shape(input_shape)
        return height * width * self.parameters["weight"].size

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        out = self.scratch.array("out", self.shape_for(x), x.dtype)
        sizes, weight = self._geometry(x), self.parameters["weight"]
        if "bias" in self.parameters:
            convolution.forward_with_bias(sizes, x, weight, self.parameters["bias"], out, self.workspace)
        else:
            convolution.forward(sizes, x, weight, out, self.workspace)
        return out

    def joins_norm(self, size: int, input_gradient: bool) -> bool:
        """Whether `backward_through_norm` can be used; `size` is 2 with 2 x 2 pooling, else 1."""
        return "bias" not in self.parameters and convolution.joins_norm(
            self._geometry(self.x), size, input_gradient
        )

    def forward_with_sums(self, x: Array) -> tuple[Array, Array]:
        """The output, and the sums of its elements and of their squares for each channel: float64 (2, n_out)."""
        self.x = x
        out = self.scratch.array("out", self.shape_for(x), x.dtype)
        sums, weight = None, self.parameters["weight"]
        if "bias" not in self.parameters:
            sums = convolution.forward_with_sums(self._geometry(x), x, weight, out, self.workspace)
        return (
            (out, fused_norm.channel_sums(self.forward(x), self.workspace)) if sums is None else (out, sums)
        )

    def backward_through_norm(
        self, dout: Array, norm: Normed, size: int, input_gradient: bool
    ) -> Array | None:
        """`backward` from the gradient after batch norm, activation and pooling of the output."""
        weight = self.parameters["weight"]
        dweight = self.gradients["weight"] = self.scratch.array("dweight", weight.shape, weight.dtype)
        dx = self.gradient_memory(dout, self.x.shape) if input_gradient else None
        convolution.backward_through_norm(
            self._geometry(self.x), self.x, dout, weight, norm, size, dweight, dx, self.workspace
        )
        return dx

    def infer(self, x: Array, epilogue: fused_norm.Epilogue, scratch: Scratch) -> Array:
        """The output after `epilogue`, in `scratch`; neither it nor the output before it is kept in the layer."""
        n, height, width, n_out = self.shape_for(x)
        out = scratch.array("out", (n, height // epilogue.size, width // epilogue.size, n_out), x.dtype)
        joined = "bias" not in self.parameters and convolution.forward_with_epilogue(
            self._geometry(x), x, self.parameters["weight"], epilogue, out, self.workspace
        )
        if not joined:
            fused_norm.forward(self.forward(x), epilogue, out)
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        weight = self.parameters["weight"]
        dweight = self.gradients["weight"] = self.scratch.array("dweight", weight.shape, weight.dtype)
        dx = self.gradient_memory(dout, self.x.shape) if input_gradient else None
        sizes = self._geometry(self.x)
        if "bias" in self.parameters:
            dbias = self.gradients["bias"] = self.scratch.array("dbias", (len(weight),), weight.dtype)
            convolution.backward_with_bias(sizes, self.x, dout, weight, dweight, dbias, dx, self.workspace)
            return dx
        convolution.backward_weights(sizes, self.x, dout, dweight, self.workspace)
        if dx is not None:
            convolution.backward_data(sizes, dout, weight, dx, self.workspace)
        return dx

    def _geometry(self, x: Array) -> Geometry:
        return geometry(x, self.parameters["weight"], self.stride, self.padding, self.groups)


class Linear(Layer):
    """Matrix product, `(N, n_in)` -> `(N, n_out)`; `weight` has the shape (n_out, n_in).

    Parameters
    ----------
    n_in, n_out : int
        Number of inputs and outputs.
    bias : bool
        Whether each output has a bias, zero at first.
    rng : numpy.random.Generator
        Source of the initial weights (`he_normal`).
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        bias: bool = False,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        self.parameters["weight"] = he_normal((n_out, n_in), rng, dtype)
        if bias:
            self.parameters["bias"] = np.zeros(n_out, dtype)

    def output_shape(self, input_shape: Shape) -> Shape:
        n_out, n_in = self.parameters["weight"].shape
        check_shape(input_shape, n_in)
        return (n_out,)

    def multiply_adds(self, input_shape: Shape) -> int:
        return self.parameters["weight"].size

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        weight = self.parameters["weight"]
        out = self.scratch.array("out", self.shape_for(x), x.dtype)
        np.matmul(x, weight.T, out=out)
        if "bias" in self.parameters:
            out += self.parameters["bias"]
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        weight = self.parameters["weight"]
        dweight = self.gradients["weight"] = self.scratch.array("dweight", weight.shape, weight.dtype)
        np.matmul(dout.T, self.x, out=dweight)
        if "bias" in self.parameters:
            self.gradients["bias"] = dout.sum(axis=0)
        if not input_gradient:
            return None
        dx = self.gradient_memory(dout, self.x.shape)
        return np.matmul(dout, weight, out=dx)
