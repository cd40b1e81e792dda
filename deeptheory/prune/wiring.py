"""Which layers read the filters of which layer, and which filters can be removed physically."""

from dataclasses import dataclass

import numpy as np

from deeptheory import nn
from deeptheory.nn.graph import INPUT
from deeptheory.nn.layers.base import Array

# Layers that act on every filter separately and map a constant to a constant; the second kind keeps its value.
ELEMENTWISE = (
    nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.SiLU, nn.HardSwish, nn.GELU, nn.TanhGELU, nn.LayerScale,
    nn.StochasticDepth, nn.Dropout,
)  # fmt: skip
KEEPING = (nn.MaxPool2d, nn.AvgPool2d, nn.GlobalAveragePool, nn.Flatten)
# Layers whose output filters are the input filters, each changed alone, or by numbers that all filters share.
FILTER_BY_FILTER = (
    *ELEMENTWISE, *KEEPING, nn.Standardise, nn.SqueezeExcitation, nn.HardSqueezeExcitation, nn.LayerNorm,
    nn.Tokens, nn.Positions, nn.SinePositions, nn.ClassToken, nn.FirstToken, nn.SequencePool,
)  # fmt: skip


@dataclass(frozen=True)
class Mixer:
    """A layer that mixes channels: a convolution without groups, a linear layer, or attention (its heads).

    It has a kernel for every pair of an output and an input filter.

    Attributes
    ----------
    node : Node
    weight : str
        Dotted name of its weight.
    grid : tuple of int
        Outputs and input filters; the rest of the weight is the kernel, as in `MaskedLayer`.
    source : str
        Name of the mixer whose filters it reads; "" where these cannot be removed.
    cuttable : bool
        Whether its filters can be removed: all their consumers mix channels, directly or behind layers that act
        on every filter separately. Sums, squeeze-and-excitation, grouped convolutions and the logits need all
        filters.
    """

    node: nn.Node
    weight: str
    grid: tuple[int, int]
    source: str
    cuttable: bool

    @property
    def padded(self) -> bool:
        """Whether it pads with zeros, so that a constant input is not constant at the borders."""
        return isinstance(self.node.layer, nn.Conv2d) and self.node.layer.padding > 0


@dataclass(frozen=True)
class Wiring:
    """The mixers of a network, and which of them computes the filters of every output.

    Attributes
    ----------
    mixers : dict of Mixer
        By name, in order of computation.
    origin : dict of str
        Name of every node to the name of the mixer whose filters it puts out, "" where these are not the filters
        of one mixer.
    """

    mixers: dict[str, Mixer]
    origin: dict[str, str]

    def readers(self, name: str) -> list[Mixer]:
        """The mixers that read the filters of the mixer of that name."""
        return [mixer for mixer in self.mixers.values() if mixer.source == name]


def wiring_of(network: nn.Network) -> Wiring:
    """Find the mixers, which of them reads which, and whose filters can be removed."""
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
            before = node.inputs[0]
            mixers[node.name] = Mixer(
                node,
                f"{node.name}.weight",
                grid=(channels[node.name], channels[before]),
                source="" if origin[before] in needed else origin[before],
                cuttable=node.name not in needed,
            )
    return Wiring(mixers, origin)


def stages_read(network: nn.Network) -> dict[str, str]:
    """Which stage's filters every layer that mixes channels reads, one by one.

    Returns
    -------
    dict of str
        By the name of the layer, "stage3.conv": the stage whose output its input is, or is with every filter
        changed alone (normalised, activated, pooled, scaled by squeeze-and-excitation, shifted and scaled by layer
        norm, through a depthwise convolution); "input" for the images, and "" where it reads something else, for
        example a sum in the middle of a stage.
    """
    root = {INPUT: INPUT}
    for node in network.nodes:
        layer, before = node.layer, root[node.inputs[0]]
        depthwise = isinstance(layer, nn.Conv2d) and layer.groups == network.output_shape(node.name)[-1] > 1
        root[node.name] = before if depthwise or type(layer) in FILTER_BY_FILTER else node.name
    ends = {root[f"{stage.name}.{list(stage.layers)[-1]}"]: stage.name for stage in network.stages}
    ends[INPUT] = INPUT
    return {node.name: ends.get(root[node.inputs[0]], "") for node in network.nodes if mixes(node.layer)}


def mixes(layer: nn.Layer) -> bool:
    """Whether a layer has a kernel for every pair of an output and an input filter."""
    return isinstance(layer, nn.SelfAttention) or is_linear(layer)


def is_linear(layer: nn.Layer) -> bool:
    """Whether it mixes, and its outputs are linear in its weights: a convolution without groups or `Linear`."""
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)


def through(layer: nn.Layer, constants: Array) -> Array:
    """Constants (C,) behind a layer of `ELEMENTWISE` or `KEEPING`; NaN where a filter is not constant."""
    if isinstance(layer, KEEPING):
        return constants
    same = nn.with_arrays(layer, layer.parameters, layer.buffers)  # with memory of its own
    out = same.forward(np.nan_to_num(constants)[None, None, None])
    return np.where(np.isnan(constants), np.nan, out.reshape(-1)).astype(constants.dtype)
