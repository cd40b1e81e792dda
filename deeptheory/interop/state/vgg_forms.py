"""The forms in which VGG networks are published: with and without batch norm, hidden layers, adaptive pooling."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from deeptheory import nn
from deeptheory.interop.state import naming
from deeptheory.interop.state.adaptive_pooling import POOLED
from deeptheory.interop.torch_modules import CONVOLUTION, LINEAR, NORM
from deeptheory.nn.layers.base import Array, Shape

NARROW = 1e-3  # width factor at which every layer has its smallest number of filters


def form_of(
    name: str, normed: bool | None, tensors: Mapping[str, Array], input_shape: Shape
) -> tuple[dict[str, Any], dict[str, tuple[int, int]]]:
    """The network of that form.

    Parameters
    ----------
    name : str
        Of `plain.VGG`.
    normed : bool or None
        Whether every convolution has a batch norm behind it; None: as the tensors say.
    tensors : mapping of str to array
        They say also whether there are hidden layers, and whether the first linear layer takes 7 x 7 positions
        although the images have others: then there is adaptive pooling before it, as in torchvision.
    input_shape : (H, W, C)

    Returns
    -------
    description : dict
        As `nn.blueprint_of` gives it.
    pooled : dict of (int, int)
        By our name of a linear weight with adaptive pooling before it: the positions here (`adaptive_pooling`).

    Raises
    ------
    InputError
        Images too small for the poolings.
    """
    modules = naming.modules_in(tensors)
    description = nn.blueprint_of(
        nn.build(
            name,
            2,
            input_shape,
            NARROW,
            rng=np.random.default_rng(0),
            classifier="hidden" if len(modules[LINEAR]) > 1 else "linear",
        )
    )
    if normed is None:
        normed = bool(modules[NORM]) or not modules[CONVOLUTION]
    if not normed:
        for stage in description["stages"]:
            stage["layers"] = [layer for layer in stage["layers"] if layer[1] != "BatchNorm2d"]
    halved = 2 ** sum(
        kind == "MaxPool2d" for stage in description["stages"] for _, kind, _ in stage["layers"]
    )
    positions = input_shape[0] // halved, input_shape[1] // halved
    if positions == (POOLED, POOLED) or not _takes_pooled(modules, tensors):
        return description, {}
    first = next(
        f"{stage['name']}.{key}"
        for stage in description["stages"]
        for key, kind, _ in stage["layers"]
        if kind == "Linear"
    )
    size, rest = divmod(positions[0], POOLED)
    if rest or positions[0] != positions[1]:
        return description, {f"{first}.weight": positions}
    last = next(stage for stage in reversed(description["stages"]) if stage["layers"][0][1] == "Conv2d")
    last["layers"].append(["pool7", "AvgPool2d", {"size": size, "stride": size}])
    return description, {f"{first}.weight": (POOLED, POOLED)}


def _takes_pooled(modules: Mapping[str, list[str]], tensors: Mapping[str, Array]) -> bool:
    """Whether the first linear layer takes 7 x 7 positions of the filters of the last convolution."""
    if not (modules[CONVOLUTION] and modules[LINEAR]):
        return False
    filters = len(tensors[f"{modules[CONVOLUTION][-1]}.weight"])
    n_inputs: int = tensors[f"{modules[LINEAR][0]}.weight"].shape[1]
    return n_inputs == filters * POOLED**2
