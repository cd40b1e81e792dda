"""The networks by name."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.convolution import Conv2d, Linear
from deeptheory.nn.graph import Stage, nodes_of, output_shapes
from deeptheory.nn.layer import Layer, Shape
from deeptheory.nn.network import Network
from deeptheory.nn.normalisation import BatchNorm2d
from deeptheory.nn.pooling import MaxPool2d
from deeptheory.nn.reshaping import Flatten, ReLU

POOL = 0  # marks a 2 x 2 maximum pooling in the lists of filters
VGG = {
    "vgg6": (64, POOL, 128, POOL, 256, 256, POOL, 512, POOL),
    "vgg11": (64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL),
    "vgg16": (64, 64, POOL, 128, 128, POOL, *(256, 256, 256, POOL), *(512, 512, 512, POOL) * 2),
}
VGG_HIDDEN = (4096, 4096)
LENET_FILTERS, LENET_HIDDEN = (6, 16), (120, 84)
MLP_HIDDEN = (512, 512)
NAMES = (*VGG, "lenet", "mlp")


def build(
    name: str,
    n_labels: int,
    input_shape: Shape,
    width: float = 1.0,
    *,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float32,
    classifier: Literal["linear", "hidden"] = "linear",
) -> Network:
    """Build a network with fresh weights (`he_normal`); every head is one bias-free linear layer.

    Parameters
    ----------
    name : str
        "vgg11": VGG-16 cut after its tenth convolution, as in "Advanced deep architecture pruning using
        single filter performance" (not torchvision's VGG-11); "vgg16": all 13 convolutions; "vgg6": the
        convolutions 64, 128, 256, 256, 512, pooled after all but the third. A VGG stage is a 3 x 3
        convolution without bias, batch norm, ReLU and, where there is one, a 2 x 2 maximum pooling.
        "lenet": two 5 x 5 convolutions without padding (6 and 16 filters), each with bias, ReLU and pooling,
        then hidden layers of 120 and 84. "mlp": two hidden layers of 512.
    n_labels : int
        Number of outputs K.
    input_shape : (H, W, C)
    width : float
        Factor on the number of filters and hidden nodes.
    rng : numpy.random.Generator
        Source of the weights.
    dtype : float32 or float64
    classifier : "linear" or "hidden"
        Of the VGG networks: the head alone, or behind two hidden layers of 4096, which are stages too.

    Raises
    ------
    InputError
        For an unknown name, or an input too small for the poolings (the stage is named).
    """
    if name not in NAMES:
        raise unknown_name("network", name, NAMES)
    if classifier == "hidden" and name not in VGG:
        raise InputError(f"classifier of {name}", "'linear'", "'hidden'", "its hidden layers are fixed")
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise InputError("input_shape", "(H, W, C), each at least 1", str(tuple(input_shape)))
    if n_labels < 2 or not width > 0:
        raise InputError("network", "n_labels >= 2 and width > 0", f"{n_labels} and {width}")
    chain = _Chain(name, input_shape, width, rng, dtype)
    if name in VGG:
        chain.add_convolutions(VGG[name], size=3, padding=1, norm=True)
        chain.add_hidden(VGG_HIDDEN if classifier == "hidden" else ())
    elif name == "lenet":
        chain.add_convolutions([n for f in LENET_FILTERS for n in (f, POOL)], size=5, padding=0, norm=False)
        chain.add_hidden(LENET_HIDDEN)
    else:
        chain.add_hidden(MLP_HIDDEN)
    return chain.close(n_labels)


class _Chain:
    """Stages in the making."""

    def __init__(
        self, name: str, input_shape: Shape, width: float, rng: np.random.Generator, dtype: DTypeLike
    ) -> None:
        self.name, self.width, self.rng, self.dtype = name, width, rng, dtype
        self.input_shape = self.shape = tuple(input_shape)
        self.stages: list[Stage] = []

    def add_convolutions(self, filters: Sequence[int], size: int, padding: int, norm: bool) -> None:
        for n_filters, following in zip(filters, [*filters[1:], None], strict=True):
            if n_filters == POOL:
                continue
            n_out = self._scaled(n_filters)
            layers: dict[str, Layer] = {
                "conv": Conv2d(
                    self.shape[2], n_out, size, 1, padding, bias=not norm, rng=self.rng, dtype=self.dtype
                )
            }
            if norm:
                layers["norm"] = BatchNorm2d(n_out, self.dtype)
            layers["relu"] = ReLU()
            if following == POOL:
                layers["pool"] = MaxPool2d(2)
            self._append(layers)

    def add_hidden(self, nodes: Sequence[int]) -> None:
        for n_nodes in nodes:
            layers: dict[str, Layer] = {"flatten": Flatten()} if len(self.shape) > 1 else {}
            n_in, n_out = int(np.prod(self.shape)), self._scaled(n_nodes)
            layers["linear"] = Linear(n_in, n_out, bias=True, rng=self.rng, dtype=self.dtype)
            layers["relu"] = ReLU()
            self._append(layers)

    def close(self, n_labels: int) -> Network:
        linear = Linear(int(np.prod(self.shape)), n_labels, rng=self.rng, dtype=self.dtype)
        head = Stage("head", {"flatten": Flatten(), "linear": linear}, (n_labels,))
        return Network(self.stages, head, self.input_shape, self.dtype)

    def _scaled(self, n: int) -> int:
        return max(1, round(self.width * n))

    def _append(self, layers: dict[str, Layer]) -> None:
        stage = f"stage{len(self.stages) + 1}"
        nodes = nodes_of([*self.stages, Stage(stage, layers, ())])
        self.shape = output_shapes(nodes, self.input_shape)[nodes[-1].name]
        self.stages.append(Stage(stage, layers, self.shape))
