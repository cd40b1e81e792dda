"""Activations by name."""

from deeptheory.errors import unknown_name
from deeptheory.nn.kernels import fused_norm, gelu, hard_activations, silu
from deeptheory.nn.layers.base import Array, Layer
from deeptheory.nn.layers.reshaping import ReLU


class SiLU(Layer):
    """x*sigmoid(x) (Elfwing et al., "Sigmoid-weighted linear units"; the "swish" of EfficientNet)."""

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        out = self.scratch.array("out", x.shape, x.dtype)
        silu.silu_forward(x.reshape(-1), out.reshape(-1))
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        silu.silu_backward(dout.reshape(-1), self.x.reshape(-1))
        return dout


class GELU(Layer):
    """x*Phi(x) by the error function, Phi the distribution function of the normal distribution.

    (Hendrycks & Gimpel, "Gaussian error linear units".)
    """

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        out = self.scratch.array("out", x.shape, x.dtype)
        gelu.gelu_forward(x.reshape(-1), out.reshape(-1))
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        gelu.gelu_backward(dout.reshape(-1), self.x.reshape(-1))
        return dout


class TanhGELU(Layer):
    """x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))/2: `GELU` to 5e-4, PyTorch's `approximate="tanh"`."""

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        out = self.scratch.array("out", x.shape, x.dtype)
        gelu.tanh_gelu_forward(x.reshape(-1), out.reshape(-1))
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        gelu.tanh_gelu_backward(dout.reshape(-1), self.x.reshape(-1))
        return dout


class ReLU6(Layer):
    """min(max(x, 0), 6) (Sandler et al., "MobileNetV2"); it overwrites its input."""

    in_place = True

    def forward(self, x: Array, training: bool = False) -> Array:
        hard_activations.relu6_forward(x.reshape(-1))
        self.out = x
        return x

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        hard_activations.relu6_backward(dout.reshape(-1), self.out.reshape(-1))
        return dout


class HardSwish(Layer):
    """x*min(max(x + 3, 0), 6)/6, which resembles `SiLU` (Howard et al., "Searching for MobileNetV3")."""

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        out = self.scratch.array("out", x.shape, x.dtype)
        hard_activations.hard_swish_forward(x.reshape(-1), out.reshape(-1))
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        hard_activations.hard_swish_backward(dout.reshape(-1), self.x.reshape(-1))
        return dout


KINDS: dict[type[Layer], int] = {
    ReLU: fused_norm.RELU,
    SiLU: fused_norm.SILU,
}  # codes of the fused compiled kernels
ACTIVATIONS = {"relu": ReLU, "silu": SiLU, "relu6": ReLU6, "hardswish": HardSwish}


def activation(name: str) -> Layer:
    """A new layer of the activation of that name; `InputError` for an unknown one."""
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()
