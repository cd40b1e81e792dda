"""Our networks in PyTorch: rivals in comparisons and independent references in tests."""

from collections import Counter
from collections.abc import Sequence
from functools import singledispatch

import torch
from torch import fx
from torch import nn as tn

from deeptheory import nn
from deeptheory.bench import torch_modules
from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.graph import INPUT, of_tokens

# Layers whose gradient does not need their output: the next layer may write over it.
SPARE = (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.Sum)


def torch_twin(network: nn.Network, until: str | None = None) -> fx.GraphModule:
    """The same layers with copies of the same weights and running statistics.

    Parameters
    ----------
    network : Network
    until : str, optional
        Stop after this layer ("stage3.conv") or stage ("stage3"), whose output takes the place of the logits.

    Returns
    -------
    torch.fx.GraphModule
        In training mode. Its forward takes (N, C, H, W) and is plain generated code, one line per layer, as
        written by hand; modules and parameters have our dotted names. Tokens are (N, T, C), heads side by side.

    Raises
    ------
    InputError
        A layer that has no counterpart, or an unknown name.
    """
    nodes = _until(network.nodes, until)
    readers = Counter(name for node in nodes for name in node.inputs)
    spare = {node.name for node in nodes if readers[node.name] == 1 and isinstance(node.layer, SPARE)}
    graph, tree = fx.Graph(), tn.Module()
    outputs = {INPUT: graph.placeholder("x")}
    tokens = of_tokens(nodes)
    for node in nodes:
        taken, in_place = tuple(outputs[name] for name in node.inputs), node.inputs[0] in spare
        if isinstance(node.layer, nn.Sum):
            outputs[node.name] = _sum(graph, taken, in_place)
        elif isinstance(node.layer, nn.Concat):
            outputs[node.name] = graph.call_function(torch.cat, (taken, 1))
        else:
            dense = isinstance(node.layer, nn.Conv2d) and node.inputs[0] in tokens
            module = _token_linear(node.layer) if dense else counterpart(node.layer, in_place)
            _add(tree, node.name, _loaded(module, node.layer))
            outputs[node.name] = graph.call_module(node.name, taken)
    graph.output(outputs[nodes[-1].name])
    return fx.GraphModule(tree, graph)


def _until(nodes: Sequence[nn.Node], until: str | None) -> Sequence[nn.Node]:
    if until is None:
        return nodes
    ends = [i for i, node in enumerate(nodes) if node.name == until or node.name.startswith(f"{until}.")]
    if not ends:
        raise unknown_name("layer or stage", until, [node.name for node in nodes])
    return nodes[: ends[-1] + 1]


def _add(parent: tn.Module, name: str, module: tn.Module) -> None:
    """Add a module to the tree by its dotted name."""
    *stages, last = name.split(".")
    for stage in stages:
        if not hasattr(parent, stage):
            parent.add_module(stage, tn.Module())
        parent = getattr(parent, stage)
    parent.add_module(last, module)


def _sum(graph: fx.Graph, terms: tuple[fx.Node, ...], in_place: bool) -> fx.Node:
    total = terms[0]
    for term in terms[1:]:
        total = graph.call_method("add_" if in_place else "add", (total, term))
        in_place = True
    return total


def _loaded(module: tn.Module, layer: nn.Layer) -> tn.Module:
    """The module in the layer's precision, with its weights; arrays have the same names on both sides."""
    held = module.state_dict()
    for name, array in (layer.parameters | layer.buffers).items():
        if name in held:
            held[name] = torch.tensor(array)
    for array in layer.parameters.values():
        module.to(torch.tensor(array).dtype)
    module.load_state_dict(held)
    return module


@singledispatch
def counterpart(layer: nn.Layer, in_place: bool) -> tn.Module:
    """The module that computes a layer; with `in_place` it may write over its input."""
    raise InputError("layer", "one that has a counterpart in PyTorch", type(layer).__name__)


@counterpart.register
def _(layer: nn.Conv2d, in_place: bool) -> tn.Module:
    n_out, n_in, *size = layer.parameters["weight"].shape
    bias = "bias" in layer.parameters
    return tn.Conv2d(
        n_in * layer.groups, n_out, tuple(size), layer.stride, layer.padding, groups=layer.groups, bias=bias
    )


@counterpart.register
def _(layer: nn.Linear, in_place: bool) -> tn.Module:
    n_out, n_in = layer.parameters["weight"].shape
    return tn.Linear(n_in, n_out, bias="bias" in layer.parameters)


@counterpart.register
def _(layer: nn.BatchNorm2d, in_place: bool) -> tn.Module:
    return tn.BatchNorm2d(len(layer.parameters["weight"]))


@counterpart.register
def _(layer: nn.ReLU, in_place: bool) -> tn.Module:
    return tn.ReLU(in_place)


@counterpart.register
def _(layer: nn.SiLU, in_place: bool) -> tn.Module:
    return tn.SiLU()  # in place, PyTorch would copy the input first, since its gradient needs it


@counterpart.register
def _(layer: nn.ReLU6, in_place: bool) -> tn.Module:
    return tn.ReLU6(in_place)


@counterpart.register
def _(layer: nn.HardSwish, in_place: bool) -> tn.Module:
    return tn.Hardswish()


@counterpart.register(nn.GELU)
@counterpart.register(nn.TanhGELU)
def _(layer: nn.GELU | nn.TanhGELU, in_place: bool) -> tn.Module:
    return tn.GELU("tanh" if isinstance(layer, nn.TanhGELU) else "none")


@counterpart.register
def _(layer: nn.LayerScale, in_place: bool) -> tn.Module:
    return torch_modules.LayerScale(len(layer.parameters["weight"]))


@counterpart.register
def _(layer: nn.LayerNorm, in_place: bool) -> tn.Module:
    return torch_modules.LayerNorm(len(layer.parameters["weight"]), layer.epsilon)


@counterpart.register
def _(layer: nn.MaxPool2d, in_place: bool) -> tn.Module:
    return tn.MaxPool2d(layer.size, layer.stride, layer.padding, ceil_mode=layer.ceil_mode)


@counterpart.register
def _(layer: nn.AvgPool2d, in_place: bool) -> tn.Module:
    return tn.AvgPool2d(layer.size, layer.stride)


@counterpart.register
def _(layer: nn.Flatten, in_place: bool) -> tn.Module:
    return tn.Flatten()


@counterpart.register
def _(layer: nn.GlobalAveragePool, in_place: bool) -> tn.Module:
    return torch_modules.GlobalAveragePool()


@counterpart.register
def _(layer: nn.SqueezeExcitation, in_place: bool) -> tn.Module:
    n_hidden, n_channels = layer.parameters["reduce_weight"].shape
    return torch_modules.SqueezeExcitation(n_channels, n_hidden, isinstance(layer, nn.HardSqueezeExcitation))


@counterpart.register
def _(layer: nn.Standardise, in_place: bool) -> tn.Module:
    return torch_modules.Standardise(list(layer.mean), list(layer.deviation))


@counterpart.register
def _(layer: nn.StochasticDepth, in_place: bool) -> tn.Module:
    return torch_modules.StochasticDepth(layer.probability) if layer.probability else tn.Identity()


def _token_linear(layer: nn.Layer) -> tn.Module:
    """A convolution that acts on every token alone."""
    return torch_modules.TokenLinear(layer.parameters["weight"].shape, "bias" in layer.parameters)


@counterpart.register
def _(layer: nn.SelfAttention, in_place: bool) -> tn.Module:
    return torch_modules.SelfAttention(layer.parameters["weight"].shape, "bias" in layer.parameters)


@counterpart.register
def _(layer: nn.Tokens, in_place: bool) -> tn.Module:
    return torch_modules.Tokens()


@counterpart.register
def _(layer: nn.Positions, in_place: bool) -> tn.Module:
    return torch_modules.Positions(layer.parameters["weight"].shape)


@counterpart.register
def _(layer: nn.SinePositions, in_place: bool) -> tn.Module:
    return torch_modules.SinePositions()


@counterpart.register
def _(layer: nn.ClassToken, in_place: bool) -> tn.Module:
    return torch_modules.ClassToken(len(layer.parameters["weight"]))


@counterpart.register
def _(layer: nn.FirstToken, in_place: bool) -> tn.Module:
    return torch_modules.FirstToken()


@counterpart.register
def _(layer: nn.SequencePool, in_place: bool) -> tn.Module:
    return torch_modules.SequencePool(len(layer.parameters["weight"]))


@counterpart.register
def _(layer: nn.Embedding, in_place: bool) -> tn.Module:
    return torch_modules.Embedding(*layer.parameters["weight"].shape)


@counterpart.register
def _(layer: nn.PaddingMask, in_place: bool) -> tn.Module:
    return torch_modules.PaddingMask()


@counterpart.register
def _(layer: nn.Dropout, in_place: bool) -> tn.Module:
    return tn.Dropout(layer.probability)


@counterpart.register
def _(layer: nn.Subsample, in_place: bool) -> tn.Module:
    return torch_modules.Subsample(layer.n_out, layer.stride)
