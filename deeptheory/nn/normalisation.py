"""Batch normalisation."""

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.errors import InputError
from deeptheory.nn import kernels
from deeptheory.nn.layer import Array, Layer, Shape, check_shape

EPSILON = 1e-5  # added to the variance
UPDATE = 0.1  # weight of the newest batch in the running statistics


class BatchNorm2d(Layer):
    """y = weight*(x - mean)/sqrt(variance + 1e-5) + bias for each channel (the last axis).

    In training, mean and variance are those of the batch over inputs and positions, and the running
    statistics move towards them by a tenth (the variance in its unbiased form, as PyTorch has it);
    otherwise the running statistics are used. (Ioffe & Szegedy, "Batch normalization".)

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
        self.x, self.training = x, training
        rows = x.reshape(-1, x.shape[-1])
        if training:
            self.mean, variance = self._batch_statistics(x, rows)
        else:
            self.mean = self.buffers["running_mean"].astype(np.float64)
            variance = self.buffers["running_var"].astype(np.float64)
        self.inverse_deviation = 1 / np.sqrt(variance + EPSILON)
        slope = self.parameters["weight"] * self.inverse_deviation
        shift = self.parameters["bias"] - slope * self.mean
        out = self.scratch.array("out", x.shape, x.dtype)
        kernels.affine(rows, slope.astype(x.dtype), shift.astype(x.dtype), out.reshape(rows.shape))
        return out

    def _batch_statistics(self, x: Array, rows: Array) -> tuple[Array, Array]:
        if len(x) < 2:
            raise InputError(
                "batch in training mode", "at least 2 inputs", "1", "batch norm needs a spread to divide by"
            )
        sums, squares = kernels.channel_sums(rows, rows)
        mean = sums / len(rows)
        variance = np.maximum(squares / len(rows) - mean**2, 0)
        unbiased = variance * (len(rows) / (len(rows) - 1))
        for name, value in (("running_mean", mean), ("running_var", unbiased)):
            self.buffers[name] *= 1 - UPDATE
            self.buffers[name] += (UPDATE * value).astype(x.dtype)
        return mean, variance

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        rows, drows = self.x.reshape(-1, self.x.shape[-1]), dout.reshape(-1, dout.shape[-1])
        sum_dout, sum_dout_x = kernels.channel_sums(drows, rows)
        dweight = self.inverse_deviation * (sum_dout_x - self.mean * sum_dout)
        self.gradients["weight"] = dweight.astype(dout.dtype)
        self.gradients["bias"] = sum_dout.astype(dout.dtype)
        if not input_gradient:
            return None
        slope = self.parameters["weight"] * self.inverse_deviation
        # dx = slope*(dout - <dout> - xhat*<dout*xhat>) in training, the means over the batch.
        slope_x = -slope * self.inverse_deviation * dweight / len(rows) * self.training
        shift = -slope * sum_dout / len(rows) * self.training - slope_x * self.mean
        kernels.affine_pair(
            drows, slope.astype(dout.dtype), rows, slope_x.astype(dout.dtype), shift.astype(dout.dtype)
        )
        return dout
