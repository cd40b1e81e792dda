"""Gradient descent with Nesterov momentum, L2 and masks."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn import kernels
from deeptheory.nn.layers.base import Array
from deeptheory.nn.network import Network

Mask = NDArray[np.bool_]


class SGD:
    """Nesterov's accelerated gradient on the parameters of a network or of some stages (`kernels.nesterov`).

    Parameters
    ----------
    network : Network
    momentum : float
        Factor on the velocity at every step.
    l2 : float
        Strength of the L2 term, on weights of convolutions and linear layers.
    l2_on_all : bool
        Put it on batch-norm parameters and biases as well.
    masks : mapping of parameter names to bool arrays
        Of the parameter's shape, or of shape 1 along some axes; where a mask is False, parameter and velocity
        are zero from now on, also after every step, whether the parameter is trained or not.
    stages : collection of str
        Stages that are trained, "head" for the head; all if empty. No step changes the parameters of the others,
        not even by L2.

    Attributes
    ----------
    velocity : dict of arrays
        The accumulated update of every parameter, by its name; zero where it is not trained.
    """

    def __init__(
        self,
        network: Network,
        momentum: float,
        l2: float,
        l2_on_all: bool,
        masks: Mapping[str, Mask],
        stages: Collection[str] = (),
    ) -> None:
        self.network, self.momentum, self.stages = network, momentum, stages
        parameters = network.parameters()
        self.l2 = {name: l2 if l2_on_all or a.ndim > 1 else 0.0 for name, a in parameters.items()}
        self.velocity: dict[str, Array] = {name: np.zeros_like(a) for name, a in parameters.items()}
        self.use_masks(masks)

    def use_masks(self, masks: Mapping[str, Mask]) -> None:
        """Replace the masks; the new ones hold from now on."""
        self._removed = {name: _checked_mask(self.network, name, mask) for name, mask in masks.items()}
        self.enforce_masks()

    @property
    def masks(self) -> dict[str, Mask]:
        """The masks in force."""
        return {name: ~removed for name, removed in self._removed.items()}

    def step(self, rate: float) -> None:
        """Update every trained parameter from the gradients of the last `backward`."""
        parameters, gradients = self.network.parameters(self.stages), self.network.gradients(self.stages)
        scalar: Any = self.network.dtype.type
        for name, weight in parameters.items():
            update = kernels.nesterov_by_threads if weight.size > 2 * kernels.SHARE else kernels.nesterov
            update(
                weight.reshape(-1),
                gradients[name].reshape(-1),
                self.velocity[name].reshape(-1),
                scalar(rate),
                scalar(self.momentum),
                scalar(self.l2[name]),
            )
        self.enforce_masks()

    def enforce_masks(self) -> None:
        """Set the masked entries of parameters and velocity to zero."""
        parameters = self.network.parameters()
        for name, removed in self._removed.items():
            np.copyto(parameters[name], 0, where=removed)
            np.copyto(self.velocity[name], 0, where=removed)


def _checked_mask(network: Network, name: str, mask: Mask) -> Mask:
    """What the mask removes, after checking it against the parameter."""
    parameters = network.parameters()
    if name not in parameters:
        raise unknown_name("mask", name, parameters)
    shape = parameters[name].shape
    fits = mask.ndim == len(shape) and all(m in (1, s) for m, s in zip(mask.shape, shape, strict=True))
    if mask.dtype != np.bool_ or not fits:
        raise InputError(
            f"mask of {name}",
            f"bool array that broadcasts to {shape}",
            f"{mask.dtype} array of shape {mask.shape}",
        )
    return ~mask
