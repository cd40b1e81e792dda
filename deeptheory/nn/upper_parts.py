"""The part of a network above one of its stages, as a network of its own."""

from collections.abc import Iterable

from deeptheory.errors import InputError
from deeptheory.nn.blueprints import blueprint_of, build_from_blueprint
from deeptheory.nn.graph import INPUT
from deeptheory.nn.network import Network


def stage_below(network: Network, layers: Iterable[str]) -> str:
    """The highest stage below some layers whose output is all that the layers above it read; "" if there is none.

    Parameters
    ----------
    network : Network
    layers : iterable of str
        Names of layers, "stage9.conv".
    """
    places = {node.name: place for place, node in enumerate(network.nodes)}
    lowest, found = min(places[layer] for layer in layers), ""
    for stage in network.stages:
        last = _last_layer(network, stage.name)
        if places[last] >= lowest:
            break
        above = network.nodes[places[last] + 1 :]
        read = {source for node in above for source in node.inputs}
        if not any(source == INPUT or places[source] < places[last] for source in read):
            found = stage.name
    return found


def upper_part(network: Network, stage: str) -> Network:
    """The stages above one of them, and the head, as a network whose input is the output of that stage.

    Names are those of the whole network, and arrays are not copied.

    Raises
    ------
    InputError
        There is no stage above it, or one reads an output from below it.
    """
    blueprint, last = blueprint_of(network), _last_layer(network, stage)
    names = [of_stage["name"] for of_stage in blueprint["stages"]]
    above = blueprint["stages"][names.index(stage) + 1 :]
    if len(above) < 2:
        raise InputError("part of a network", "at least one stage in it", f"none above {stage}")
    blueprint["stages"] = [
        {
            **of_stage,
            "inputs": {
                key: tuple(INPUT if source in (stage, last) else source for source in sources)
                for key, sources in of_stage["inputs"].items()
            },
        }
        for of_stage in above
    ]
    blueprint["input_shape"] = network.output_shape(stage)
    return build_from_blueprint(blueprint, network.parameters(), network.buffers())


def _last_layer(network: Network, stage: str) -> str:
    return f"{stage}.{list(network.stage(stage).layers)[-1]}"
