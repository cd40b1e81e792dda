"""The blueprint of a network: everything but its arrays, as a table that JSON can store."""

from collections.abc import Mapping
from typing import Any

from deeptheory.errors import InputError
from deeptheory.nn.graph import Stage
from deeptheory.nn.layer_checks import check_count
from deeptheory.nn.layers.base import Array
from deeptheory.nn.network import Network
from deeptheory.nn.rebuilding import assemble, make_layer, options_of


def blueprint_of(network: Network) -> dict[str, Any]:
    """The blueprint of a network.

    Returns
    -------
    dict
        ``dtype``, ``input_shape`` and ``stages`` (the head last), each with ``name``, ``layers`` in order as
        [name, kind, options], and ``inputs`` as in `Stage`.

    Raises
    ------
    InputError
        A layer of a kind that cannot be rebuilt (`rebuilding.OPTIONS`).
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


def build_from_blueprint(
    blueprint: Mapping[str, Any], parameters: Mapping[str, Array], buffers: Mapping[str, Array]
) -> Network:
    """The network of a blueprint and of arrays by dotted name, which are not copied.

    Raises
    ------
    InputError
        An unknown kind of layer, options of another kind, or layers that do not fit together.
    KeyError, TypeError
        The table is no blueprint.
    """
    check_count(sum(len(stage["layers"]) for stage in blueprint["stages"]))
    by_layer = _by_layer(parameters), _by_layer(buffers)
    stages = [_stage(stage, *by_layer) for stage in blueprint["stages"]]
    return assemble(stages, tuple(blueprint["input_shape"]), blueprint["dtype"])


def _by_layer(arrays: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """Arrays by the dotted name of their layer and their own name."""
    grouped: dict[str, dict[str, Array]] = {}
    for name, array in arrays.items():
        layer, _, key = name.rpartition(".")
        grouped.setdefault(layer, {})[key] = array
    return grouped


def _stage(
    blueprint: Mapping[str, Any],
    parameters: Mapping[str, Mapping[str, Array]],
    buffers: Mapping[str, Mapping[str, Array]],
) -> Stage:
    layers = {}
    for key, kind, options in blueprint["layers"]:
        name = f"{blueprint['name']}.{key}"
        try:
            layers[key] = make_layer(kind, options, parameters.get(name, {}), buffers.get(name, {}))
        except InputError as error:
            raise InputError(f"{name}, {error.what}", error.expected, error.found, error.do) from None
    inputs = {key: tuple(names) for key, names in blueprint["inputs"].items()}
    return Stage(blueprint["name"], layers, (), inputs)
