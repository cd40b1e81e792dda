"""The graph of a network: its layers in order of computation, each with the names of its inputs."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.layers.base import Layer, Shape
from deeptheory.nn.layers.tokens import Embedding, FirstToken, PaddingMask, SequencePool, Tokens
from deeptheory.system.memory import require_memory

INPUT = "input"  # the name of the images as the input of a layer
FLOAT_BYTES = 4
LARGE = 1 << 24  # bytes of an output from which the memory is looked at
T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    """Consecutive layers that are measured and pruned as one unit.

    Attributes
    ----------
    name : str
        "stage1", "stage2", ... or "head".
    layers : dict of Layer
        In order: conv, norm, relu, pool; flatten, linear, relu where the stage is fully connected.
    output_shape : tuple of int
        (H, W, C) or (C,).
    inputs : mapping of str to tuple of str
        The inputs of a layer of this stage, unless it takes the output of the layer before it: names of layers
        ("stage2.pool"), of stages ("stage2", its last layer), or "input", the images.
    """

    name: str
    layers: dict[str, Layer]
    output_shape: Shape
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """One layer of the graph.

    Attributes
    ----------
    name : str
        "stage3.conv".
    layer : Layer
    inputs : tuple of str
        Names of the nodes whose outputs it reads; "input" for the images.
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...]


def nodes_of(stages: Iterable[Stage]) -> tuple[Node, ...]:
    """The layers of all stages in order of computation, their inputs resolved to names of nodes.

    Raises
    ------
    InputError
        A layer reads an output that does not exist when it is computed, has several inputs although it takes only
        one, or overwrites an output that another layer reads.
    """
    nodes: list[Node] = []
    known, before = {INPUT: INPUT}, INPUT
    for stage in stages:
        for key in stage.inputs:
            if key not in stage.layers:
                raise unknown_name(f"inputs of a layer of {stage.name}", key, stage.layers)
        for key, layer in stage.layers.items():
            name = f"{stage.name}.{key}"
            sources = stage.inputs.get(key, (before,))
            for source in sources:
                if source not in known:
                    raise unknown_name(f"input of {name}", source, known)
            if len(sources) != 1 and not layer.joins:
                raise InputError(
                    f"inputs of {name}",
                    "one, as for every layer that joins none",
                    ", ".join(sources),
                )
            nodes.append(Node(name, layer, tuple(known[source] for source in sources)))
            known[name] = before = name
        known[stage.name] = before
    _check_overwriting(nodes)
    return tuple(nodes)


def output_shapes(nodes: Sequence[Node], input_shape: Shape) -> dict[str, Shape]:
    """Shape of the output of every node for one input, without the batch axis; "input" is among them.

    Raises
    ------
    InputError
        An input has the wrong shape for its layer (the error names the layer and both shapes), or an output of
        one input exceeds the free memory.
    """
    shapes = {INPUT: tuple(input_shape)}
    for node in nodes:
        try:
            shape = shapes[node.name] = node.layer.output_shape(input_to(node, shapes))
        except InputError as error:
            raise InputError(f"{error.what} of {node.name}", error.expected, error.found, error.do) from None
        if (needed := FLOAT_BYTES * math.prod(shape)) > LARGE:
            require_memory(f"output of {node.name}, {shape}", needed, "use smaller images or another network")
    return shapes


def input_to(node: Node, outputs: Mapping[str, T]) -> T | tuple[T, ...]:
    """The input of the node's layer: one of the outputs, or a tuple of them for a layer that joins several."""
    if node.layer.joins:
        return tuple(outputs[name] for name in node.inputs)
    return outputs[node.inputs[0]]


def n_readers(nodes: Iterable[Node]) -> Counter[str]:
    """Number of times that every output is read."""
    return Counter(name for node in nodes for name in node.inputs)


def _check_overwriting(nodes: Sequence[Node]) -> None:
    readers = n_readers(nodes)
    for node in nodes:
        if node.layer.in_place and (node.inputs[0] == INPUT or readers[node.inputs[0]] > 1):
            others = [other.name for other in nodes if node.inputs[0] in other.inputs and other != node]
            raise InputError(
                f"input of {node.name}, which writes over it",
                "an output that no other layer reads",
                f"'{node.inputs[0]}'" + (f", which {', '.join(others)} reads too" if others else ""),
            )


def of_tokens(nodes: Sequence[Node]) -> set[str]:
    """Names of the layers that put out tokens, or masks of them."""
    found = set[str]()
    for node in nodes:
        begins = isinstance(node.layer, Tokens | Embedding | PaddingMask)
        ends = isinstance(node.layer, FirstToken | SequencePool)
        if begins or (not ends and not found.isdisjoint(node.inputs)):
            found.add(node.name)
    return found
