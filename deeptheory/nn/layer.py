"""What every layer offers: forward, backward, and its parameters, gradients and buffers by name."""

from typing import Any

from numpy.typing import NDArray

from deeptheory.nn.kernels import Scratch

Array = NDArray[Any]
Shape = tuple[int, ...]


class Layer:
    """One operation of a network; activations are `(N, H, W, C)` or `(N, C)`.

    What `forward` and `backward` return lies in scratch memory and is overwritten by the next call; a
    layer may keep a reference to its input until `backward`.

    Attributes
    ----------
    parameters, gradients, buffers : dict of arrays
        Trained arrays, their gradients after `backward`, and arrays that are kept but not trained.
    scratch : Scratch
        Results of this layer.
    workspace : Scratch
        Working memory of the kernels; a network lets all its layers share one.
    """

    def __init__(self) -> None:
        self.parameters: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}
        self.buffers: dict[str, Array] = {}
        self.scratch = Scratch()
        self.workspace = Scratch()

    def output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the output of one input, without the batch axis."""
        return input_shape

    def multiply_adds(self, input_shape: Shape) -> int:
        """Multiply-add operations per input; only those with weights are counted."""
        return 0

    def forward(self, x: Array, training: bool = False) -> Array:
        """Output for a batch; `training` matters to layers that treat training batches differently."""
        raise NotImplementedError

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        """Set `gradients` from the gradient `dout` of the output; return that of the input where asked.

        `dout` may be overwritten.
        """
        raise NotImplementedError
