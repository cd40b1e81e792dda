"""How the filters of a network reach the layers that mix them: what a filter can be cut out of."""

from dataclasses import dataclass

import numpy as np

from deeptheory import nn
from deeptheory.nn.graph import INPUT
from deeptheory.nn.layers.base import Array

# Layers that treat every filter alone and make a constant of a constant. Those of the second kind keep its value.
ELEMENTWISE = (nn.BatchNorm2d, nn.ReLU, nn.SiLU, nn.StochasticDepth)
KEEPING = (nn.MaxPool2d, nn.AvgPool2d, nn.GlobalAveragePool, nn.Flatten)


@dataclass(frozen=True)
class Mixer:
    """A layer with a kernel for every pair of an output and an input filter: a convolution or a linear layer.

    Attributes
    ----------
    node : Node
    weight : str
        Dotted name of its weight.
    grid : tuple of int
        Outputs and input filters; the rest of the weight is the kernel, as in `MaskedLayer`.
    source : str
        Name of the mixer whose filters it reads; "" where these cannot be cut.
    cuttable : bool
        Whether a filter of its own can be cut: every way on ends in mixers, passing layers that treat every
        filter alone. Sums, squeeze-and-excitation, grouped convolutions and the logits need all of them.
    """

    node: nn.Node
    weight: str
    grid: tuple[int, int]
    source: str
    cuttable: bool

    @property
    def padded(self) -> bool:
        """Whether it pads with zeros, so that a constant input is no constant at the borders."""
        return isinstance(self.node.layer, nn.Conv2d) and self.node.layer.padding > 0


@dataclass(frozen=True)
class Wiring:
    """The mixers of a network by name, in order of computation, and where the filters of every output are made.

    Attributes
    ----------
    mixers : dict of Mixer
    origin : dict of str
        Name of a node to that of the mixer whose filters it puts out, "" where it puts out others.
    """

    mixers: dict[str, Mixer]
    origin: dict[str, str]

    def readers(self, name: str) -> list[Mixer]:
        """The mixers that read the filters of the mixer of that name."""
        return [mixer for mixer in self.mixers.values() if mixer.source == name]


def wiring_of(network: nn.Network) -> Wiring:
    """Find the mixers, who reads whom, and whose filters can be cut."""
    origin, channels, needed = {INPUT: ""}, {INPUT: network.input_shape[-1]}, {""}
    for node in network.nodes:
        before = node.inputs[0]
        if mixes(node.layer):
            origin[node.name] = node.name
        elif type(node.layer) in ELEMENTWISE + KEEPING:
            origin[node.name] = origin[before]
        else:
            origin[node.name] = ""
            needed.update(origin[name] for name in node.inputs)
        flat = isinstance(node.layer, nn.Flatten)
        channels[node.name] = channels[before] if flat else network.output_shape(node.name)[-1]
    needed.add(origin[network.nodes[-1].name])
    mixers = {}
    for node in network.nodes:
        if mixes(node.layer):
            source, grid = origin[node.inputs[0]], (channels[node.name], channels[node.inputs[0]])
            mixers[node.name] = Mixer(
                node,
                f"{node.name}.weight",
                grid,
                "" if source in needed else source,
                node.name not in needed,
            )
    return Wiring(mixers, origin)


def mixes(layer: nn.Layer) -> bool:
    """Whether a layer has a kernel for every pair of an output and an input filter."""
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)


def through(layer: nn.Layer, constants: Array) -> Array:
    """What a layer of `ELEMENTWISE` or `KEEPING` makes of constant filters (C,); NaN where one is not constant."""
    if isinstance(layer, KEEPING):
        return constants
    parameters, buffers = layer.parameters, layer.buffers
    out = nn.with_arrays(layer, parameters, buffers).forward(np.nan_to_num(constants)[None, None, None])
    return np.where(np.isnan(constants), np.nan, out.reshape(-1)).astype(constants.dtype)
