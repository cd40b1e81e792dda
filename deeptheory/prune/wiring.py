"""Which layers read the filters of which layer, and which filters can only be removed together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.nn.graph import INPUT
from deeptheory.prune.bundles import Bundles

# Layers that act on every filter separately and map a constant to a constant; the second kind keeps its value.
ELEMENTWISE = (
    nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.SiLU, nn.HardSwish, nn.GELU, nn.TanhGELU, nn.LayerScale,
    nn.StochasticDepth, nn.Dropout,
)  # fmt: skip
KEEPING = (nn.MaxPool2d, nn.AvgPool2d, nn.GlobalAveragePool, nn.Flatten)
GATES = (nn.SqueezeExcitation, nn.HardSqueezeExcitation)
# Layers whose output filters are the input filters, each changed alone, or by numbers that all filters share.
FILTER_BY_FILTER = (
    *ELEMENTWISE, *KEEPING, *GATES, nn.Standardise, nn.LayerNorm,
    nn.Tokens, nn.Positions, nn.SinePositions, nn.ClassToken, nn.FirstToken, nn.SequencePool,
)  # fmt: skip


@dataclass(frozen=True)
class Mixer:
    """A layer that mixes channels: a convolution, a linear layer, or attention (its heads).

    It has a kernel for every pair of an output and an input filter of the same group.

    Attributes
    ----------
    node : Node
    reads, writes : int array
        The bundles of its input and output filters (`Wiring`).
    """

    node: nn.Node
    reads: NDArray[np.int64]
    writes: NDArray[np.int64]

    @property
    def weight(self) -> str:
        """Dotted name of its weight."""
        return f"{self.node.name}.weight"

    @property
    def groups(self) -> int:
        """Number of groups; an output reads the inputs of its own."""
        return self.node.layer.groups if isinstance(self.node.layer, nn.Conv2d) else 1

    @property
    def grid(self) -> tuple[int, int]:
        """Outputs, and inputs that each of them reads; the rest of its weight is a kernel, as in `MaskedLayer`."""
        return len(self.writes), len(self.reads) // self.groups

    @property
    def padded(self) -> bool:
        """Whether it pads with zeros, so that a constant input is not constant at the borders."""
        return isinstance(self.node.layer, nn.Conv2d) and self.node.layer.padding > 0

    def read_by(self, kernels: NDArray[np.bool_], outputs: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which inputs some of the outputs (n_out,) have kernels for, of those in the grid."""
        of_groups = (kernels & outputs[:, None]).reshape(self.groups, -1, self.grid[1])
        return of_groups.any(axis=1).reshape(-1)


@dataclass(frozen=True)
class Wiring:
    """Which filters of a network can only be removed together.

    A bundle is a filter of a mixer with all that follows it one by one: normalised, activated, pooled, flattened,
    scaled, through a depthwise convolution, at its place in a concatenation. A sum makes one bundle of the filters
    that it adds: those of residual blocks are one from the first block to the last.

    Attributes
    ----------
    mixers : dict of Mixer
        By name, in order of computation.
    channels : dict of int array
        By name of a node: the bundle of every filter that it puts out.
    pinned : bool array
        Of every bundle: whether it stays in any case, as images and logits do, and what a layer reads that needs
        all filters, such as layer norm.
    whole : tuple of Node
        The layers that need all filters of their inputs.
    """

    mixers: dict[str, Mixer]
    channels: dict[str, NDArray[np.int64]]
    pinned: NDArray[np.bool_]
    whole: tuple[nn.Node, ...]

    def readers(self, bundles: NDArray[np.int64]) -> list[Mixer]:
        """The mixers that read some of these bundles."""
        return [mixer for mixer in self.mixers.values() if np.isin(mixer.reads, bundles).any()]


def wiring_of(network: nn.Network) -> Wiring:
    """Find the mixers, and the bundles of the filters that all layers put out."""
    shapes = {node.name: network.output_shape(node.name) for node in network.nodes}
    numbers, whole = Bundles(), list[nn.Node]()
    channels = {INPUT: numbers.new(network.input_shape[-1])}
    for node in network.nodes:
        given = [channels[name] for name in node.inputs]
        found = _behind(node.layer, given, shapes[node.name], numbers)
        if found is None:
            whole.append(node)
            numbers.pin(*given, found := numbers.new(shapes[node.name][-1]))
        channels[node.name] = found
    numbers.pin(channels[INPUT], channels[network.nodes[-1].name])
    bundle = numbers.bundles()
    channels = {name: bundle[of_node] for name, of_node in channels.items()}
    mixers = {
        node.name: Mixer(node, channels[node.inputs[0]], channels[node.name])
        for node in network.nodes
        if mixes(node.layer) or is_grouped(node.layer)
    }
    return Wiring(mixers, channels, numbers.pinned(bundle), tuple(whole))


def _behind(
    layer: nn.Layer, given: list[NDArray[np.int64]], shape: tuple[int, ...], numbers: Bundles
) -> NDArray[np.int64] | None:
    """The filters that a layer puts out, from those of its inputs; None if it needs all of them."""
    first = given[0]
    if type(layer) in ELEMENTWISE + KEEPING + GATES or is_depthwise(layer):
        return first
    if mixes(layer) or is_grouped(layer):
        return numbers.new(shape[-1])
    if isinstance(layer, nn.Sum) and len({len(of_input) for of_input in given}) == 1:
        for other in given[1:]:
            numbers.unite(first, other)
        return first
    if isinstance(layer, nn.Concat) and sum(map(len, given)) == shape[-1]:  # else of flattened filters
        return np.concatenate(given)
    if isinstance(layer, nn.Subsample):
        return np.concatenate([first, numbers.new(shape[-1] - len(first))])  # channels of zeros
    return None


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


def is_depthwise(layer: nn.Layer) -> bool:
    """Whether it is a convolution of every filter alone."""
    if not isinstance(layer, nn.Conv2d):
        return False
    return layer.groups > 1 and layer.parameters["weight"].shape[:2] == (layer.groups, 1)


def is_grouped(layer: nn.Layer) -> bool:
    """Whether it is a convolution in groups, but not of every filter alone."""
    return isinstance(layer, nn.Conv2d) and layer.groups > 1 and not is_depthwise(layer)
