"""Squeeze-and-excitation: channels weighted by functions of their means over the image."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.nn.kernels import channel_gates, silu, squeeze_excitation
from deeptheory.nn.layers.base import Array, Layer, Shape, check_shape
from deeptheory.nn.layers.convolution import he_normal


class SqueezeExcitation(Layer):
    """y = g*x with one factor g per input and channel, the same at all positions.

    g = sigmoid(We silu(Wr m + br) + be), m the mean of x over positions (Hu et al., "Squeeze-and-excitation
    networks", with the activation of Tan & Le, "EfficientNet").

    Parameters
    ----------
    n_channels : int
        Number of channels C.
    n_hidden : int
        Number of hidden nodes R.
    rng : numpy.random.Generator
        Source of the initial weights (`he_normal`); the biases are zero at first.

    Notes
    -----
    Parameters are `reduce_weight` (R, C), `reduce_bias` (R,), `expand_weight` (C, R), `expand_bias` (C,).
    It mixes channels only through these factors: masks between stages ignore it.
    """

    vectorised: ClassVar[bool] = True  # whether `kernels.squeeze_excitation` computes it

    def __init__(
        self, n_channels: int, n_hidden: int, *, rng: np.random.Generator, dtype: DTypeLike = np.float32
    ) -> None:
        super().__init__()
        self.parameters["reduce_weight"] = he_normal((n_hidden, n_channels), rng, dtype)
        self.parameters["reduce_bias"] = np.zeros(n_hidden, dtype)
        self.parameters["expand_weight"] = he_normal((n_channels, n_hidden), rng, dtype)
        self.parameters["expand_bias"] = np.zeros(n_channels, dtype)

    def output_shape(self, input_shape: Shape) -> Shape:
        check_shape(input_shape, "H", "W", len(self.parameters["expand_bias"]))
        return input_shape

    def multiply_adds(self, input_shape: Shape) -> int:
        return 2 * self.parameters["reduce_weight"].size

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x, shape = x, self.shape_for(x)
        self.means = self._per_input("means", len(x), "expand_bias")
        self.reduced = self._per_input("reduced", len(x), "reduce_bias")
        self.hidden = self._per_input("hidden", len(x), "reduce_bias")
        self.gate = self._per_input("gate", len(x), "expand_bias")
        out = self.scratch.array("out", shape, x.dtype)
        if self.vectorised and squeeze_excitation.applies(x):
            reduce, expand = self._flat_weights()
            biases = self.parameters["reduce_bias"], self.parameters["expand_bias"]
            results = (a.reshape(-1) for a in (self.means, self.reduced, self.hidden, self.gate, out))
            squeeze_excitation.forward(
                x.reshape(-1), _n_positions(x), reduce, biases[0], expand, biases[1], *results
            )
            return out
        channel_gates.position_means(_positions(x), self.means)
        np.matmul(self.means, self.parameters["reduce_weight"].T, out=self.reduced)
        self.reduced += self.parameters["reduce_bias"]
        self.activate()
        np.matmul(self.hidden, self.parameters["expand_weight"].T, out=self.gate)
        self.gate += self.parameters["expand_bias"]
        self.close_gate()
        channel_gates.gate_forward(_positions(x), self.gate, _positions(out))
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        n = len(dout)
        dgate = self._per_input("dgate", n, "expand_bias")
        dhidden = self._per_input("dhidden", n, "reduce_bias")
        if self.vectorised and squeeze_excitation.applies(dout):
            inner = (a.reshape(-1) for a in (self.reduced, self.gate, dgate, dhidden))
            flat, sizes = (self.x.reshape(-1), dout.reshape(-1)), (_n_positions(dout), dout.shape[-1])
            squeeze_excitation.backward(*flat, *sizes, *self._flat_weights(), *inner)
        else:
            channel_gates.gate_gradient(_positions(dout), _positions(self.x), dgate)
            dgate *= self.gate_slope()
            np.matmul(dgate, self.parameters["expand_weight"], out=dhidden)
            self.through_activation(dhidden)
            if input_gradient:
                dmeans = self._per_input("dmeans", n, "expand_bias")
                np.matmul(dhidden, self.parameters["reduce_weight"], out=dmeans)
                dmeans /= _n_positions(dout)
                channel_gates.gate_backward(_positions(dout), self.gate, dmeans)
        self._set_gradients("expand", dgate, self.hidden)
        self._set_gradients("reduce", dhidden, self.means)
        return dout if input_gradient else None

    def activate(self) -> None:
        """Set `hidden` from `reduced`."""
        silu.silu_forward(self.reduced.reshape(-1), self.hidden.reshape(-1))

    def through_activation(self, dhidden: Array) -> None:
        """Turn the gradient of `hidden` into that of `reduced`."""
        silu.silu_backward(dhidden.reshape(-1), self.reduced.reshape(-1))

    def close_gate(self) -> None:
        """Turn the numbers in `gate` into factors."""
        _sigmoid(self.gate)

    def gate_slope(self) -> Array:
        """The derivative of the factors."""
        slope: Array = self.gate * (1 - self.gate)
        return slope

    def _flat_weights(self) -> tuple[Array, Array]:
        """Both weights as flat arrays, in the order of (R, C)."""
        reduce, expand = self.parameters["reduce_weight"], self.parameters["expand_weight"]
        transposed = self.workspace.array("expansion", reduce.shape, reduce.dtype)
        np.copyto(transposed, expand.T)
        return reduce.reshape(-1), transposed.reshape(-1)

    def _per_input(self, name: str, n: int, like: str) -> Array:
        """Scratch memory of one row per input, of the length of the parameter `like`."""
        bias = self.parameters[like]
        return self.scratch.array(name, (n, len(bias)), bias.dtype)

    def _set_gradients(self, side: str, dout: Array, x: Array) -> None:
        for name in (f"{side}_weight", f"{side}_bias"):
            array = self.parameters[name]
            self.gradients[name] = self.scratch.array(f"d{name}", array.shape, array.dtype)
        np.matmul(dout.T, x, out=self.gradients[f"{side}_weight"])
        np.sum(dout, axis=0, out=self.gradients[f"{side}_bias"])


class HardSqueezeExcitation(SqueezeExcitation):
    """`SqueezeExcitation` with a ReLU inside and g = min(max(z + 3, 0), 6)/6 in place of the sigmoid.

    (Howard et al., "Searching for MobileNetV3".)
    """

    vectorised: ClassVar[bool] = False

    def activate(self) -> None:
        np.maximum(self.reduced, 0, out=self.hidden)

    def through_activation(self, dhidden: Array) -> None:
        dhidden *= self.hidden > 0

    def close_gate(self) -> None:
        self.gate += 3
        self.gate /= 6
        np.clip(self.gate, 0, 1, out=self.gate)

    def gate_slope(self) -> Array:
        slope: Array = ((self.gate > 0) & (self.gate < 1)) / self.gate.dtype.type(6)
        return slope


def _positions(x: Array) -> Array:
    return x.reshape(len(x), -1, x.shape[-1])


def _n_positions(x: Array) -> int:
    return math.prod(x.shape[1:3])


def _sigmoid(x: Array) -> None:
    """1/(1 + exp(-x)) in place."""
    np.negative(x, out=x)
    np.exp(x, out=x)
    x += 1
    np.reciprocal(x, out=x)
