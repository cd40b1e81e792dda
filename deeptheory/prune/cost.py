"""Parameters and multiply-adds that remain after masking."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from deeptheory.errors import InputError
from deeptheory.prune.masks import Masks


@dataclass(frozen=True)
class Cost:
    """Parameters and multiply-adds per input, of the whole network and those left under the masks."""

    parameters: int
    parameters_left: int
    multiply_adds: int
    multiply_adds_left: int

    @property
    def parameters_share(self) -> float:
        """Share of the parameters left."""
        return self.parameters_left / self.parameters

    @property
    def multiply_adds_share(self) -> float:
        """Share of the multiply-adds left."""
        return self.multiply_adds_left / self.multiply_adds


def cost_of(
    shapes: Mapping[str, tuple[int, ...]], multiply_adds: Mapping[str, int], masks: Masks | None = None
) -> Cost:
    """Count the parameters and multiply-adds that remain after masking.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Dotted parameter name to shape, of the whole network.
    multiply_adds : mapping of str to int
        Dotted layer name (a weight's name without ``.weight``) to multiply-adds per input.
    masks : Masks, optional
        None for the unpruned network.

    Returns
    -------
    Cost
        A masked layer's multiply-adds scale with its density. They are NOT a time: a masked layer that is
        executed densely takes as long as before.

    Raises
    ------
    InputError
        A masked layer is not a layer of the network.
    """
    parameters = {name: math.prod(shape) for name, shape in shapes.items()}
    left, operations_left = dict(parameters), dict(multiply_adds)
    for weight, mask in masks.items() if masks is not None else ():
        layer = weight.removesuffix(".weight")
        if weight not in shapes or layer not in multiply_adds:
            raise InputError(f"masked weight '{weight}'", "a layer of this network", ", ".join(multiply_adds))
        left[weight] = int(mask.sum())
        operations_left[layer] = round(multiply_adds[layer] * left[weight] / mask.size)
    return Cost(
        parameters=sum(parameters.values()),
        parameters_left=sum(left.values()),
        multiply_adds=sum(multiply_adds.values()),
        multiply_adds_left=sum(operations_left.values()),
    )
