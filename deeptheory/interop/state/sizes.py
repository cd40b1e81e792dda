"""The shapes of the arrays of a network, from its architecture and the shapes of the tensors."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from deeptheory.errors import InputError
from deeptheory.interop.state.architectures import Architecture
from deeptheory.interop.torch_modules import BUFFERS, DRAWN, KEYS_OF_NORM
from deeptheory.nn.graph import INPUT
from deeptheory.nn.layer_checks import SQUEEZING
from deeptheory.nn.layers.base import Shape
from deeptheory.nn.rebuilding import make_layer


def fitted(
    architecture: Architecture, found: Mapping[str, Shape], input_shape: Shape
) -> tuple[dict[str, Any], dict[str, Shape]]:
    """The description with the sizes of the tensors, and the shape that every array must then have.

    How many filters a layer has is what most of the tensors say that have one number per filter: its weight, its
    bias and those of the batch norm that follows.

    Parameters
    ----------
    architecture : Architecture
    found : mapping of str to tuple of int
        Shapes of the tensors of the file, by our dotted names.
    input_shape : (H, W, C)

    Raises
    ------
    InputError
        Layers do not fit together, or the images are too small.
    """
    return _Sizes(architecture, found, tuple(input_shape)).result()


class _Sizes:
    def __init__(self, architecture: Architecture, found: Mapping[str, Shape], input_shape: Shape) -> None:
        self.architecture, self.found = architecture, found
        self.shapes: dict[str, Shape] = {INPUT: input_shape}
        self.unknown: set[str] = set()  # outputs whose number of filters no tensor gives
        self.expected: dict[str, Shape] = {}

    def result(self) -> tuple[dict[str, Any], dict[str, Shape]]:
        before, stages = INPUT, []
        for stage in self.architecture.description["stages"]:
            layers = []
            for index, (key, kind, options) in enumerate(stage["layers"]):
                name = f"{stage['name']}.{key}"
                inputs = stage["inputs"].get(key, (before,))
                norm = [
                    f"{stage['name']}.{key}"
                    for key, kind, _ in stage["layers"][index + 1 : index + 2]
                    if kind == "BatchNorm2d"
                ]
                layers.append([key, kind, self._layer(name, kind, options, inputs, norm)])
                before = name
            self.shapes[stage["name"]] = self.shapes[before]
            if before in self.unknown:
                self.unknown.add(stage["name"])
            stages.append({**stage, "layers": layers})
        return {**self.architecture.description, "stages": stages}, self.expected

    def _layer(
        self, name: str, kind: str, options: dict[str, Any], inputs: tuple[str, ...], following: list[str]
    ) -> dict[str, Any]:
        """Add the shapes of one layer; returns its options with the sizes of the tensors."""
        shapes = [self.shapes[given] for given in inputs]
        channels = shapes[0][-1]
        grouped = kind == "Conv2d" and options["groups"] > 1
        if grouped and (self.architecture.scaled or channels < options["groups"]):
            options = {**options, "groups": channels}
        if self.architecture.scaled and kind == "Subsample":  # follows the norm to which it is added
            options = {**options, "n_out": self.shapes[list(self.shapes)[-1]][-1]}
        arrays = self._arrays(name, kind, options, shapes[0], following)
        held = {key: np.broadcast_to(np.float32(0), shape) for key, shape in arrays.items()}
        left_out = (*BUFFERS, "bias") if kind == "SequencePool" else BUFFERS
        parameters = {key: array for key, array in held.items() if key not in left_out}
        buffers = {key: array for key, array in held.items() if key in BUFFERS}
        layer = make_layer(kind, options, parameters, buffers)
        try:
            self.shapes[name] = layer.output_shape(tuple(shapes) if layer.joins else shapes[0])
        except InputError as error:
            raise InputError(f"{error.what} of {name}", error.expected, error.found, error.do) from None
        unknown = any(given in self.unknown for given in inputs)
        if unknown and "weight" in arrays and len(self.found.get(f"{name}.weight", ())) > 1:
            taken = self.found[f"{name}.weight"][1]
            arrays["weight"] = (arrays["weight"][0], taken, *arrays["weight"][2:])
        elif unknown and not arrays:
            self.unknown.add(name)
        for key, shape in arrays.items():
            array = f"{name}.{key}"
            if array in self.architecture.needed or array in self.found:
                self.expected[array] = shape
        return options

    def _arrays(
        self, name: str, kind: str, options: dict[str, Any], read: Shape, following: list[str]
    ) -> dict[str, Shape]:
        """The shapes of the arrays of a layer that reads inputs of that shape."""
        channels = read[-1]
        if kind in ("Conv2d", "Linear"):
            n_out, found = self._filters(name, following), self.found.get(f"{name}.weight", ())
            kernel = self.architecture.kernels.get(f"{name}.weight", found[2:] if len(found) == 4 else (1, 1))
            taken = channels // options.get("groups", 1)
            return {"weight": (n_out, taken, *(kernel if kind == "Conv2d" else ())), "bias": (n_out,)}
        if kind == "BatchNorm2d":
            return dict.fromkeys(KEYS_OF_NORM, (channels,))
        if kind == "LayerNorm":
            return {"weight": (channels,), "bias": (channels,)}
        if kind in ("LayerScale", "ClassToken"):
            return {"weight": (channels,)}
        if kind == "SelfAttention":
            found = self.found.get(f"{name}.weight", ())
            depth = self.architecture.kernels.get(f"{name}.weight", found[2:] or (3, channels))[1]
            heads = max(1, channels // depth)
            return {"weight": (heads, channels, 3, depth), "bias": (3 * heads * depth,)}
        if kind == "Positions":
            return {"weight": (read[0], channels)}
        if kind == "SequencePool":
            return {"weight": (channels,), "bias": (1,)}
        if kind == "Embedding":
            return {"weight": self.found.get(f"{name}.weight", (1, 1))}
        if kind in SQUEEZING:
            hidden = self.found.get(f"{name}.reduce_weight", (1,))[0]
            return {
                "reduce_weight": (hidden, channels),
                "reduce_bias": (hidden,),
                "expand_weight": (channels, hidden),
                "expand_bias": (channels,),
            }
        return dict.fromkeys(DRAWN, (1,)) if kind in ("StochasticDepth", "Dropout") else {}

    def _filters(self, name: str, following: list[str]) -> int:
        """The number of filters of a layer, by the majority of the tensors."""
        norms = [f"{layer}.{key}" for layer in following for key in KEYS_OF_NORM]
        told = [
            self.found[array][0]
            for array in (f"{name}.weight", f"{name}.bias", *norms)
            if self.found.get(array)
        ]
        if not told:
            self.unknown.add(name)
            return 1
        return Counter(told).most_common(1)[0][0]
