"""Networks from a blueprint and the sizes of their layers, with new weights."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.graph import INPUT, Stage
from deeptheory.nn.initialisation import reinitialise
from deeptheory.nn.layer_checks import BIASED, SHAPES, SQUEEZING, WHOLE_NUMBERS
from deeptheory.nn.layers.base import Array, Layer, Shape
from deeptheory.nn.network import Network
from deeptheory.nn.rebuilding import assemble, make_layer
from deeptheory.system.memory import require_memory

HEAD = "head"
ATTENTION = "attention"
MIXING = ("conv", "linear", ATTENTION)  # names of the one layer of a stage that mixes channels
BUFFERS = ("running_mean", "running_var", "seed", "counter")
LARGEST_NUMBER = 8  # bytes


def build_sized(
    description: Mapping[str, Any],
    sizes: Mapping[str, Mapping[str, Any]],
    n_labels: int,
    rng: np.random.Generator,
) -> Network:
    """A network with initial weights (`he_normal`).

    Parameters
    ----------
    description : mapping
        As `blueprint_of` gives it. The last stage is called "head", with a layer "linear" without bias; every
        other one has one layer "conv", "linear" or "attention".
    sizes : mapping of str to mapping
        By the dotted name of a layer: ``filters``, ``size`` (a number or height and width) and ``bias`` of a
        convolution, ``nodes`` and ``bias`` of a linear layer, ``hidden`` of a squeeze-and-excitation, ``heads``,
        ``depth`` and ``bias`` of attention, ``tokens`` of positions, ``words`` and ``channels`` of an embedding.
        The head needs no ``nodes``. Numbers of inputs follow from the layers before.
    n_labels : int
        Number of outputs K.
    rng : numpy.random.Generator
        Source of the weights.

    Raises
    ------
    InputError
        A size that is missing, a stage without its layer, another number of outputs, or layers that do not fit
        together; each is named.
    """
    shapes: dict[str, Shape] = {INPUT: tuple(description["input_shape"])}
    known, before, numbers, stages = {INPUT: INPUT}, INPUT, 0, []
    for stage in description["stages"]:
        _check_stage(stage, stage is description["stages"][-1])
        layers: dict[str, Layer] = {}
        for key, kind, options in stage["layers"]:
            name = f"{stage['name']}.{key}"
            inputs = [shapes[_known(name, source, known)] for source in stage["inputs"].get(key, (before,))]
            size = (
                {"nodes": n_labels, **sizes.get(name, {})} if _is_output(stage, key) else sizes.get(name, {})
            )
            arrays = _array_shapes(name, kind, options, size, inputs[0])
            numbers += sum(map(math.prod, arrays.values()))
            require_memory("network", LARGEST_NUMBER * numbers, "use fewer filters")
            layers[key] = _layer(name, kind, options, arrays, description["dtype"])
            try:
                shapes[name] = layers[key].output_shape(tuple(inputs) if layers[key].joins else inputs[0])
            except InputError as error:
                raise InputError(f"{error.what} of {name}", error.expected, error.found, error.do) from None
            known[name] = before = name
        known[stage["name"]] = before
        stages.append(Stage(stage["name"], layers, (), stage["inputs"]))
    network = assemble(stages, tuple(description["input_shape"]), description["dtype"])
    if network.n_labels != n_labels:
        do = "leave the nodes of its last layer out"
        raise InputError("outputs of the head", f"{n_labels}, one for each label", f"{network.n_labels}", do)
    reinitialise(network, rng)
    return network


def _known(layer: str, source: str, known: Mapping[str, str]) -> str:
    if source not in known:
        raise unknown_name(f"input of {layer}", source, known)
    return known[source]


def _check_stage(stage: Mapping[str, Any], last: bool) -> None:
    """Refuse what could be trained but neither measured nor pruned."""
    name, kinds = stage["name"], {key: kind for key, kind, _ in stage["layers"]}
    if last != (name == HEAD):
        raise InputError("last stage", f"'{HEAD}', and no other stage of that name", f"'{name}'")
    wanted = ("linear",) if last else MIXING
    if len(found := [key for key in kinds if key in wanted]) != 1:
        expected = f"one layer called {' or '.join(wanted)}, which mixes its channels"
        raise InputError(f"layers of {name}", expected, ", ".join(found or kinds))


def _is_output(stage: Mapping[str, Any], key: str) -> bool:
    return bool(stage["name"] == HEAD and key == "linear")


def _array_shapes(
    name: str, kind: str, options: Mapping[str, Any], size: Mapping[str, Any], input_shape: Shape
) -> dict[str, Shape]:
    """Shapes of the arrays of a layer by name."""

    def given(option: str) -> Any:
        if option not in size:
            raise InputError(f"{kind} {name}", f"its {option}", "none", f"add {option} = NUMBER")
        return size[option]

    if kind.startswith("Sparse"):
        raise InputError(f"kind of {name}", "a layer that can be trained", kind)
    n_in = input_shape[-1]
    inside: Shape
    if kind == "SelfAttention":
        shape = given("heads"), n_in, 3, given("depth")
        return {"weight": shape} | ({"bias": (3 * shape[0] * shape[3],)} if size.get("bias") else {})
    if kind == "Positions":
        return {"weight": (given("tokens"), n_in)}
    if kind == "Embedding":
        return {"weight": (given("words"), given("channels"))}
    if kind == "Conv2d":
        side = given("size")
        height, width = (side, side) if isinstance(side, int) else side
        if n_in % options["groups"]:
            raise InputError(f"groups of {name}", f"a divisor of {n_in} inputs", f"{options['groups']}")
        n_out, inside = given("filters"), (n_in // options["groups"], height, width)
    elif kind == "Linear":
        n_out, inside = given("nodes"), (n_in,)
    if kind in BIASED:
        return {"weight": (n_out, *inside)} | ({"bias": (n_out,)} if size.get("bias") else {})
    letters = {"C": n_in, "R": given("hidden") if kind in SQUEEZING else 0, "1": 1}
    return {array: tuple(letters[axis] for axis in axes) for array, axes in SHAPES.get(kind, {}).items()}


def _layer(
    name: str, kind: str, options: Mapping[str, Any], shapes: Mapping[str, Shape], dtype: str
) -> Layer:
    arrays: dict[str, Array] = {
        array: np.zeros(shape, np.int64 if array in WHOLE_NUMBERS else dtype)
        for array, shape in shapes.items()
    }
    try:
        return make_layer(
            kind,
            options,
            {array: values for array, values in arrays.items() if array not in BUFFERS},
            {array: values for array, values in arrays.items() if array in BUFFERS},
        )
    except InputError as error:
        raise InputError(f"{name}, {error.what}", error.expected, error.found, error.do) from None
