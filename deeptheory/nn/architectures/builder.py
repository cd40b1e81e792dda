"""A network under construction, stage by stage."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.nn.graph import Stage, nodes_of, output_shapes
from deeptheory.nn.layers.activations import activation
from deeptheory.nn.layers.base import Layer, Shape
from deeptheory.nn.layers.convolution import Conv2d, Linear
from deeptheory.nn.layers.normalisation import BatchNorm2d
from deeptheory.nn.layers.reshaping import Flatten
from deeptheory.nn.network import Network


class Builder:
    """Stages in order from the input, named stage1, stage2, ... unless they have other names.

    Parameters
    ----------
    input_shape : (H, W, C)
    width : float
        Factor on the number of filters and hidden nodes.
    rng : numpy.random.Generator
        Source of the weights.
    dtype : float32 or float64

    Attributes
    ----------
    shape : tuple of int
        Output shape of the last stage; at first that of the images.
    stages : list of Stage
    """

    def __init__(self, input_shape: Shape, width: float, rng: np.random.Generator, dtype: DTypeLike) -> None:
        self.width, self.rng, self.dtype = width, rng, dtype
        self.input_shape = self.shape = tuple(input_shape)
        self.stages: list[Stage] = []

    @property
    def last(self) -> str:
        """Name of the last stage."""
        return self.stages[-1].name

    @property
    def upcoming(self) -> str:
        """Name of the next stage to be appended."""
        return f"stage{len(self.stages) + 1}"

    def scaled(self, n: int) -> int:
        """Number of filters or nodes at this width."""
        return max(1, round(self.width * n))

    def conv(
        self,
        n_in: int,
        n_out: int,
        size: int | tuple[int, int],
        stride: int = 1,
        *,
        padding: int | None = None,
        bias: bool = False,
        groups: int = 1,
    ) -> Conv2d:
        """A convolution, a square one padded by half its size unless `padding` says otherwise."""
        if padding is None:
            padding = size // 2 if isinstance(size, int) else 0
        return Conv2d(n_in, n_out, size, stride, padding, bias, groups=groups, rng=self.rng, dtype=self.dtype)

    def norm(self, n_channels: int) -> BatchNorm2d:
        """A batch norm."""
        return BatchNorm2d(n_channels, self.dtype)

    def activated(self, n_in: int, n_out: int, size: int, stride: int, name: str) -> dict[str, Layer]:
        """Convolution, batch norm and the activation called `name`, under these names."""
        return {
            "conv": self.conv(n_in, n_out, size, stride),
            "norm": self.norm(n_out),
            name: activation(name),
        }

    def linear(self, n_nodes: int, bias: bool = False) -> Linear:
        """A fully connected layer on the whole output of the last stage."""
        return Linear(int(np.prod(self.shape)), n_nodes, bias, rng=self.rng, dtype=self.dtype)

    def append(
        self, layers: dict[str, Layer], inputs: Mapping[str, tuple[str, ...]] | None = None, name: str = ""
    ) -> None:
        """Append a stage of these layers, called `upcoming` unless it has a name; `inputs` as in `Stage`."""
        draft = Stage(name or self.upcoming, layers, (), inputs or {})
        nodes = nodes_of([*self.stages, draft])
        self.shape = output_shapes(nodes, self.input_shape)[nodes[-1].name]
        self.stages.append(Stage(draft.name, layers, self.shape, draft.inputs))

    def close(self, n_labels: int) -> Network:
        """The network of all stages and a linear head without bias."""
        head = Stage("head", {"flatten": Flatten(), "linear": self.linear(n_labels)}, (n_labels,))
        return Network(self.stages, head, self.input_shape, self.dtype)
