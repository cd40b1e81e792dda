"""A network as a plain table, which with its arrays is all that it is made of."""

from collections.abc import Mapping
from typing import Any

from deeptheory.nn.graph import Stage
from deeptheory.nn.layers.base import Array
from deeptheory.nn.network import Network
from deeptheory.nn.rebuilding import assemble, make_layer, options_of


def describe(network: Network) -> dict[str, Any]:
    """What a network is besides its arrays, as JSON can hold it.

    Returns
    -------
    dict
        ``dtype``, ``input_shape`` and ``stages`` (the head last), each with ``name``, ``layers`` in order as
        [name, kind, options], and ``inputs`` as in `Stage`.

    Raises
    ------
    InputError
        A layer of a kind that cannot be built again (`rebuild.OPTIONS`).
    """
    return {
        "dtype": network.dtype.name,
        "input_shape": network.input_shape,
        "stages": [
            {
                "name": stage.name,
                "layers": [
                    [key, type(layer).__name__, options_of(layer)] for key, layer in stage.layers.items()
                ],
                "inputs": dict(stage.inputs),
            }
            for stage in (*network.stages, network.head)
        ],
    }


def described_network(
    description: Mapping[str, Any], parameters: Mapping[str, Array], buffers: Mapping[str, Array]
) -> Network:
    """The network of a table that `describe` made, and of its arrays by dotted name, which are taken as they are.

    Raises
    ------
    InputError
        An unknown kind of layer, options of another kind, or layers that do not fit together.
    KeyError, TypeError
        A table that `describe` did not make.
    """
    stages = [_stage(stage, parameters, buffers) for stage in description["stages"]]
    return assemble(stages, tuple(description["input_shape"]), description["dtype"])


def _stage(
    description: Mapping[str, Any], parameters: Mapping[str, Array], buffers: Mapping[str, Array]
) -> Stage:
    layers = {}
    for key, kind, options in description["layers"]:
        prefix = f"{description['name']}.{key}."
        own = (
            {name.removeprefix(prefix): array for name, array in named.items() if name.startswith(prefix)}
            for named in (parameters, buffers)
        )
        layers[key] = make_layer(kind, options, *own)
    inputs = {key: tuple(names) for key, names in description["inputs"].items()}
    return Stage(description["name"], layers, (), inputs)
