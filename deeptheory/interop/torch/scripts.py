"""The text of a Python script that rebuilds a network in PyTorch."""

import ast
import re
from collections.abc import Sequence
from functools import singledispatch
from importlib.resources import files

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.graph import INPUT, Node, Stage, n_readers, of_tokens

IMAGES = "images"
HEADER = '''"""A network written by deeptheory, in PyTorch.

Images (N, {channels}, {height}, {width}) -> logits (N, {labels}).
Pixels are scaled to [-1, 1]: grey level 0 is -1, 255 is 1.
{note}Its tensors are in {tensors}:

    network = load()

reads them with the package safetensors.
"""

import pathlib

import torch
'''
SPARSE_NOTE = """Removed kernels of these layers are zeros in dense weights, as PyTorch has no sparse convolution:
{layers}.
"""
LOADER = '''

def load(path=pathlib.Path(__file__).with_name("{tensors}")):
    """The network with its tensors, in evaluation mode."""
    from safetensors.torch import load_file

    network = Network(){precision}
    network.load_state_dict(load_file(path))
    return network.eval()
'''


def torch_script(network: nn.Network, tensors: str, sparse: Sequence[str]) -> str:
    """The script of a network of dense layers.

    Parameters
    ----------
    network : Network
        Without sparse layers (`dense_layers.densified`).
    tensors : str
        Name of the file of tensors beside the script.
    sparse : sequence of str
        Layers that the script names as having zeros for removed kernels.

    Raises
    ------
    InputError
        A layer has no counterpart, or a name is no Python identifier.
    """
    height, width, channels = network.input_shape
    note = SPARSE_NOTE.format(layers=",\n".join(sparse)) if sparse else ""
    precision = ".double()" if network.dtype == np.float64 else ""
    shown = {"height": height, "width": width, "channels": channels, "labels": network.n_labels}
    sources = _own_modules()
    kinds = {kind.__name__ for node in network.nodes for kind in type(node.layer).__mro__}
    kinds |= {"TokenLinear"} if of_tokens(network.nodes) else set()
    needed = sorted(kinds & sources.keys())
    classes = [f"\n\n{sources[name]}\n" for name in needed]
    return "".join(
        [
            HEADER.format(**shown, note=note, tensors=tensors),
            *classes,
            "\n\n",
            *(f"{line}\n" for line in _network_class(network)),
            LOADER.format(tensors=tensors, precision=precision),
        ]
    )


def _own_modules() -> dict[str, str]:
    """Source of the modules that PyTorch lacks, by name, read without importing PyTorch."""
    source = files("deeptheory.bench").joinpath("torch_modules.py").read_text(encoding="utf-8")
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    texts = {node.name: ast.get_source_segment(source, node) or "" for node in classes}
    plain = {"tn": "torch.nn", "functional": "torch.nn.functional"}
    return {
        name: re.sub(r"\b(tn|functional)\.", lambda match: f"{plain[match[1]]}.", text)
        for name, text in texts.items()
    }


def _network_class(network: nn.Network) -> list[str]:
    stages = (*network.stages, network.head)
    lines = ["class Network(torch.nn.Module):", "    def __init__(self):", "        super().__init__()"]
    tokens = of_tokens(network.nodes)
    for stage in stages:
        for name in (stage.name, *stage.layers):
            if not name.isidentifier():
                raise InputError(f"name of a part of {stage.name}", "letters, digits and _", f"'{name}'")
        lines += [f"        self.{stage.name} = torch.nn.ModuleDict(", "            {"]
        for key, layer in stage.layers.items():
            dense = isinstance(layer, nn.Conv2d) and f"{stage.name}.{key}" in tokens
            if module := _token_linear(layer) if dense else _module(layer):
                lines.append(f'                "{key}": {module},')
        lines += ["            }", "        )"]
    return [*lines, "", f"    def forward(self, {IMAGES}):", *_forward(network, stages)]


def _forward(network: nn.Network, stages: Sequence[Stage]) -> list[str]:
    """One line per layer; an output is named x if only the next layer reads it."""
    readers, names = n_readers(network.nodes), {INPUT: IMAGES}
    ends = {f"{stage.name}.{list(stage.layers)[-1]}": stage.name for stage in stages}
    lines, following = list[str](), [*network.nodes[1:], None]
    for node, after in zip(network.nodes, following, strict=True):
        alone = after is None or (readers[node.name] == 1 and node.name in after.inputs)
        names[node.name] = "x" if alone else ends.get(node.name, node.name.replace(".", "_"))
        lines.append(f"        {names[node.name]} = {_call(node, [names[name] for name in node.inputs])}")
    return [*lines, f"        return {names[network.nodes[-1].name]}"]


def _call(node: Node, inputs: Sequence[str]) -> str:
    if isinstance(node.layer, nn.Sum):
        return " + ".join(inputs)
    if isinstance(node.layer, nn.Concat):
        return f"torch.cat([{', '.join(inputs)}], 1)"
    stage, key = node.name.split(".")
    return f'self.{stage}["{key}"]({", ".join(inputs if node.layer.joins else inputs[:1])})'


@singledispatch
def _module(layer: nn.Layer) -> str:
    """The expression for the module of a layer; "" for a layer that is an operator."""
    raise InputError("layer", "one that has a counterpart in PyTorch", type(layer).__name__)


@_module.register
def _(layer: nn.Conv2d) -> str:
    n_out, n_in, height, width = layer.parameters["weight"].shape
    given = [str(n_in * layer.groups), str(n_out), str(height if height == width else (height, width))]
    options = {"stride": (layer.stride, 1), "padding": (layer.padding, 0), "groups": (layer.groups, 1)}
    given += [f"{name}={value}" for name, (value, default) in options.items() if value != default]
    return f"torch.nn.Conv2d({', '.join(given + _bias(layer))})"


@_module.register
def _(layer: nn.Linear) -> str:
    n_out, n_in = layer.parameters["weight"].shape
    return f"torch.nn.Linear({', '.join([str(n_in), str(n_out), *_bias(layer)])})"


def _bias(layer: nn.Layer) -> list[str]:
    return [] if "bias" in layer.parameters else ["bias=False"]


@_module.register
def _(layer: nn.BatchNorm2d) -> str:
    return f"torch.nn.BatchNorm2d({len(layer.parameters['weight'])})"


@_module.register(nn.MaxPool2d)
@_module.register(nn.AvgPool2d)
def _(layer: nn.MaxPool2d | nn.AvgPool2d) -> str:
    stride = "" if layer.stride == layer.size else f", stride={layer.stride}"
    padding = f", padding={layer.padding}" if layer.padding else ""
    ceil_mode = ", ceil_mode=True" if layer.ceil_mode else ""
    return f"torch.nn.{type(layer).__name__}({layer.size}{stride}{padding}{ceil_mode})"


@_module.register(nn.ReLU)
@_module.register(nn.ReLU6)
@_module.register(nn.SiLU)
@_module.register(nn.GELU)
@_module.register(nn.Flatten)
def _(layer: nn.Layer) -> str:
    return f"torch.nn.{type(layer).__name__}()"


@_module.register
def _(layer: nn.HardSwish) -> str:
    return "torch.nn.Hardswish()"


@_module.register
def _(layer: nn.TanhGELU) -> str:
    return 'torch.nn.GELU("tanh")'


@_module.register
def _(layer: nn.LayerScale) -> str:
    return f"LayerScale({len(layer.parameters['weight'])})"


@_module.register
def _(layer: nn.LayerNorm) -> str:
    return f"LayerNorm({len(layer.parameters['weight'])}, {layer.epsilon!r})"


@_module.register
def _(layer: nn.GlobalAveragePool) -> str:
    return "GlobalAveragePool()"


@_module.register
def _(layer: nn.SqueezeExcitation) -> str:
    n_hidden, n_channels = layer.parameters["reduce_weight"].shape
    hard = ", hard=True" if isinstance(layer, nn.HardSqueezeExcitation) else ""
    return f"SqueezeExcitation({n_channels}, {n_hidden}{hard})"


@_module.register
def _(layer: nn.Standardise) -> str:
    return f"Standardise({list(layer.mean)}, {list(layer.deviation)})"


@_module.register
def _(layer: nn.StochasticDepth) -> str:
    return f"StochasticDepth({layer.probability!r})"


@_module.register
def _(layer: nn.Subsample) -> str:
    return f"Subsample({layer.n_out}, {layer.stride})"


@_module.register(nn.Tokens)
@_module.register(nn.SinePositions)
@_module.register(nn.FirstToken)
@_module.register(nn.PaddingMask)
def _(layer: nn.Layer) -> str:
    return f"{type(layer).__name__}()"


@_module.register(nn.Positions)
def _(layer: nn.Positions) -> str:
    return f"Positions({layer.parameters['weight'].shape})"


@_module.register(nn.ClassToken)
@_module.register(nn.SequencePool)
def _(layer: nn.Layer) -> str:
    return f"{type(layer).__name__}({len(layer.parameters['weight'])})"


@_module.register
def _(layer: nn.Embedding) -> str:
    n_words, n_channels = layer.parameters["weight"].shape
    return f"Embedding({n_words}, {n_channels})"


@_module.register
def _(layer: nn.Dropout) -> str:
    return f"torch.nn.Dropout({layer.probability!r})"


@_module.register
def _(layer: nn.SelfAttention) -> str:
    return f"SelfAttention({layer.parameters['weight'].shape}, {'bias' in layer.parameters})"


def _token_linear(layer: nn.Layer) -> str:
    """A convolution that acts on every token alone."""
    return f"TokenLinear({layer.parameters['weight'].shape}, {'bias' in layer.parameters})"


@_module.register(nn.Concat)
@_module.register(nn.Sum)
def _(layer: nn.Layer) -> str:
    return ""
