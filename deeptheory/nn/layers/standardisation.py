"""Pixels in the units that an imported network was trained with."""

from collections.abc import Sequence

import numpy as np

from deeptheory.errors import InputError
from deeptheory.nn.layers.base import Array, Layer, Shape, check_shape


class Standardise(Layer):
    """y = (x - mean)/deviation for each channel (the last axis), with fixed numbers.

    It is the first layer, so that the next convolution pads with zeros in the units of training; mean and
    deviation folded into that convolution would be wrong at the borders.

    Parameters
    ----------
    mean, deviation : sequence of float
        One for each channel, in the units of the input. As inputs are pixels scaled to [-1, 1]
        (`data.augmentation.scale`), values m and s for pixels in [0, 1] become 2*m - 1 and 2*s.

    Raises
    ------
    InputError
        The numbers of means and deviations differ, or a deviation is not positive.
    """

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != len(deviation):
            raise InputError("deviations", f"{len(mean)}, as many as means", str(len(deviation)))
        if not all(0 < value < np.inf for value in deviation) or not np.isfinite(mean).all():
            found = f"means {list(mean)}, deviations {list(deviation)}"
            raise InputError("means and deviations", "finite numbers, deviations above 0", found)
        self.mean, self.deviation = tuple(map(float, mean)), tuple(map(float, deviation))

    def output_shape(self, input_shape: Shape) -> Shape:
        check_shape(input_shape, "H", "W", len(self.mean))
        return input_shape

    def forward(self, x: Array, training: bool = False) -> Array:
        out = self.scratch.array("out", self.shape_for(x), x.dtype)
        np.subtract(x, np.asarray(self.mean, x.dtype), out=out)
        out /= np.asarray(self.deviation, x.dtype)
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        dout /= np.asarray(self.deviation, dout.dtype)
        return dout
