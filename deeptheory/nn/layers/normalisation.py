"""Batch normalisation, and normalisation over the channels of each position."""

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.errors import InputError
from deeptheory.nn import kernels
from deeptheory.nn.kernels import batch_statistics, layer_norm
from deeptheory.nn.layers.base import Array, Layer, Shape, check_shape

EPSILON = 1e-5  # added to the variance
UPDATE = 0.1  # weight of the newest batch in the running statistics


class BatchNorm2d(Layer):
    """y = weight*(x - mean)/sqrt(variance + 1e-5) + bias for each channel (the last axis).

    In training, mean and variance are those of the batch over inputs and positions, and the running statistics
    become 9/10 of the old plus 1/10 of the new ones (with the unbiased variance, as in PyTorch). Otherwise the
    running statistics are used. (Ioffe & Szegedy, "Batch normalization".)

    Parameters
    ----------
    n_channels : int
        Number of channels.
    """

    def __init__(self, n_channels: int, dtype: DTypeLike = np.float32) -> None:
        super().__init__()
        self.parameters["weight"] = np.ones(n_channels, dtype)
        self.parameters["bias"] = np.zeros(n_channels, dtype)
        self.buffers["running_mean"] = np.zeros(n_channels, dtype)
        self.buffers["running_var"] = np.ones(n_channels, dtype)

    def output_shape(self, input_shape: Shape) -> Shape:
        check_shape(input_shape, "H", "W", len(self.parameters["weight"]))
        return input_shape

    def forward(self, x: Array, training: bool = False) -> Array:
        rows = x.reshape(-1, self.shape_for(x)[-1])
        if training:
            self.use_batch(x, *kernels.channel_sums(rows, rows))
        else:
            self.use_running(x)
        return self.normalise(x)

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        rows, drows = self.x.reshape(-1, self.x.shape[-1]), dout.reshape(-1, dout.shape[-1])
        slope_x, shift = self.set_gradients(*kernels.channel_sums(drows, rows))
        if not input_gradient:
            return None
        kernels.affine_pair(drows, self.slope, rows, slope_x, shift)
        return dout

    def use_batch(self, x: Array, sums: Array, squares: Array) -> None:
        """Set up `normalise` by the batch, from the sums of x and x*x, and update the running statistics."""
        n_inputs, sums, squares = self.group.sum(len(x), sums, squares)
        if n_inputs < 2:
            raise InputError(
                "batch in training mode", "at least 2 inputs", "1", "batch norm needs a spread to divide by"
            )
        n = n_inputs * (x.size // x.shape[-1] // len(x))
        running = self.buffers["running_mean"], self.buffers["running_var"]
        mean, variance = batch_statistics.statistics(
            sums, squares, n, x.dtype.type(1 - UPDATE), UPDATE, *running
        )
        self._keep(x, mean, variance, 1 / n)

    def use_running(self, x: Array) -> None:
        """Set up `normalise` by the running statistics."""
        mean, variance = (self.buffers[name].astype(np.float64) for name in ("running_mean", "running_var"))
        self._keep(x, mean, variance, 0.0)

    def _keep(self, x: Array, mean: Array, variance: Array, weight_in_mean: float) -> None:
        self.x, self.mean, self.weight_in_mean = x, mean, weight_in_mean
        self.inverse_deviation, self.slope, self.shift = batch_statistics.slope_and_shift(
            self.parameters["weight"], self.parameters["bias"], mean, variance, EPSILON
        )

    def normalise(self, x: Array) -> Array:
        """slope*x + shift, with the values of the last `use_batch` or `use_running`."""
        out = self.scratch.array("out", x.shape, x.dtype)
        rows = x.reshape(-1, x.shape[-1])
        kernels.affine(rows, self.slope, self.shift, out.reshape(rows.shape))
        return out

    def set_gradients(self, sum_dout: Array, sum_dout_x: Array) -> tuple[Array, Array]:
        """Set `gradients` from the sums of dout and dout*x.

        Returns
        -------
        slope_x, shift : array (C,)
            dx = slope*dout + slope_x*x + shift; in training this is slope*(dout - <dout> - xhat*<dout*xhat>)
            with means over the batch, xhat = (x - mean)/sqrt(variance + 1e-5).
        """
        dtype = self.slope.dtype
        dweight = self.inverse_deviation * (sum_dout_x - self.mean * sum_dout)
        self.gradients["weight"], self.gradients["bias"] = dweight.astype(dtype), sum_dout.astype(dtype)
        if self.weight_in_mean:
            dweight, sum_dout = self.group.sum(dweight, sum_dout)
        slope_x, shift = batch_statistics.input_gradient(
            self.parameters["weight"],
            self.mean,
            self.inverse_deviation,
            self.weight_in_mean,
            dweight,
            sum_dout,
        )
        return slope_x, shift


class LayerNorm(Layer):
    """y = weight*(x - mean)/sqrt(variance + epsilon) + bias, with mean and variance over the last axis.

    So every position of an image, or every token, is normalised over its channels, alike in training and
    evaluation. (Ba, Kiros & Hinton, "Layer normalization".)

    Parameters
    ----------
    n_channels : int
        Size of the last axis; the axes before it are any.
    epsilon : float
        Added to the variance.
    """

    def __init__(self, n_channels: int, epsilon: float = 1e-6, dtype: DTypeLike = np.float32) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.parameters["weight"] = np.ones(n_channels, dtype)
        self.parameters["bias"] = np.zeros(n_channels, dtype)

    def output_shape(self, input_shape: Shape) -> Shape:
        if input_shape[-1] != (n_channels := len(self.parameters["weight"])):
            expected = f"shape (..., {n_channels})"
            raise InputError("input", expected, f"shape {tuple(input_shape)}")
        return input_shape

    def forward(self, x: Array, training: bool = False) -> Array:
        rows = x.reshape(-1, self.shape_for(x)[-1])
        self.x, out = rows, self.scratch.array("out", x.shape, x.dtype)
        kind = x.dtype if layer_norm.in_vectors(x.dtype, rows.shape[1]) else np.float64
        self.means = self.scratch.array("means", (len(rows),), kind)
        self.inverse_deviations = self.scratch.array("inverse deviations", (len(rows),), kind)
        layer_norm.forward(
            rows, self.parameters["weight"], self.parameters["bias"], self.epsilon, self.means,
            self.inverse_deviations, out.reshape(rows.shape),
        )  # fmt: skip
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        drows, weight = dout.reshape(self.x.shape), self.parameters["weight"]
        parts = self.scratch.array("parts", (layer_norm.PARTS, 2, len(weight)), np.float64)
        layer_norm.backward(drows, self.x, weight, self.means, self.inverse_deviations, parts)
        for name, gradient in zip(("weight", "bias"), parts.sum(axis=0), strict=True):
            self.gradients[name] = gradient.astype(weight.dtype)
        return dout
