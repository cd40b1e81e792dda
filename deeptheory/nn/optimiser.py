"""Steps of gradient descent with L2 and masks: Nesterov momentum, Adam and AdamW."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn import kernels
from deeptheory.nn.layers.base import Array
from deeptheory.nn.network import Network
from deeptheory.nn.options import Recipe

Mask = NDArray[np.bool_]
BETA_SQUARE, EPSILON = 0.999, 1e-8  # of Adam, where PyTorch has them too


class Optimiser:
    """What all optimisers share: the parameters of a network or of some stages, their velocity and masks.

    Parameters
    ----------
    network : Network
    momentum : float
        Factor on the velocity at every step.
    l2 : float
        Strength of the L2 term or of the weight decay, on weights of convolutions and linear layers.
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
        The accumulated update of every parameter, by its name; zero where it is not trained or masked.
    mean_square : dict of arrays
        Running means of squared gradients of optimisers that have them. They go on where a mask removes a
        parameter, so that one that comes back takes steps of the size of all others.
    n_steps : int
        Steps taken.
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
        for name, array in parameters.items():
            if not array.flags.c_contiguous:  # its flat form would be a copy, and every step lost
                raise InputError(
                    f"parameter {name}", "an array in C order", "another order", "numpy.ascontiguousarray"
                )
        self.l2 = {name: l2 if l2_on_all or a.ndim > 1 else 0.0 for name, a in parameters.items()}
        self.velocity: dict[str, Array] = {name: np.zeros_like(a) for name, a in parameters.items()}
        self.mean_square: dict[str, Array] = {}
        self.n_steps = 0
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
        self.n_steps += 1
        parameters, gradients = self.network.parameters(self.stages), self.network.gradients(self.stages)
        for name, weight in parameters.items():
            self._update(name, weight.reshape(-1), gradients[name].reshape(-1), rate)
        self.enforce_masks()

    def clip(self, largest: float) -> None:
        """Scale the gradients of the last `backward` so that the norm of all together is at most `largest`.

        The norm is that of the loss alone, without L2, over what is trained and not masked.
        """
        gradients = self.network.gradients(self.stages)
        squares = (np.square(self._kept(name, g)).sum(dtype=np.float64) for name, g in gradients.items())
        norm = math.sqrt(sum(squares))
        if norm > largest:
            for gradient in gradients.values():
                gradient *= gradient.dtype.type(largest / norm)

    def _kept(self, name: str, gradient: Array) -> Array:
        return np.where(self._removed[name], 0, gradient) if name in self._removed else gradient

    def _update(self, name: str, weight: Array, gradient: Array, rate: float) -> None:
        """Move one flat parameter."""
        raise NotImplementedError

    def enforce_masks(self) -> None:
        """Set the masked entries of parameters and velocity to zero."""
        parameters = self.network.parameters()
        for name, removed in self._removed.items():
            np.copyto(parameters[name], 0, where=removed)
            np.copyto(self.velocity[name], 0, where=removed)


class SGD(Optimiser):
    """Nesterov's accelerated gradient (`kernels.nesterov`)."""

    def _update(self, name: str, weight: Array, gradient: Array, rate: float) -> None:
        scalar: Any = self.network.dtype.type
        update = kernels.nesterov_by_threads if weight.size > 2 * kernels.SHARE else kernels.nesterov
        numbers = (scalar(number) for number in (rate, self.momentum, self.l2[name]))
        update(weight, gradient, self.velocity[name].reshape(-1), *numbers)


class Adam(Optimiser):
    """Adam (`kernels.adam`): beta1 is the momentum, beta2 0.999, epsilon 1e-8, as PyTorch has them.

    L2 is a part of the gradient, whose scale Adam divides out: it shrinks weights of large gradients less.
    """

    decoupled = False

    def __init__(self, network: Network, *arguments: Any, **options: Any) -> None:
        super().__init__(network, *arguments, **options)
        self.mean_square = {name: np.zeros_like(a) for name, a in network.parameters().items()}

    def _update(self, name: str, weight: Array, gradient: Array, rate: float) -> None:
        l2, beta = self.l2[name], self.momentum
        numbers = kernels.AdamStep(
            rate=rate / (1 - beta**self.n_steps),
            root=1 / math.sqrt(1 - BETA_SQUARE**self.n_steps),
            epsilon=EPSILON,
            keep=beta,
            gain=1 - beta,
            keep_square=BETA_SQUARE,
            gain_square=1 - BETA_SQUARE,
            l2=0.0 if self.decoupled else l2,
            shrink=1 - rate * l2 if self.decoupled else 1.0,
        )
        step = kernels.AdamStep(*map(self.network.dtype.type, numbers))
        update = kernels.adam_by_threads if weight.size > 2 * kernels.SHARE else kernels.adam
        update(weight, gradient, self.velocity[name].reshape(-1), self.mean_square[name].reshape(-1), step)


class AdamW(Adam):
    """Adam whose L2 is no part of the gradient: every step takes rate*l2 of the weight away besides."""

    decoupled = True


OPTIMISERS: dict[str, type[Optimiser]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}


def make_optimiser(
    network: Network, recipe: Recipe, masks: Mapping[str, Mask] | None = None, stages: Collection[str] = ()
) -> Optimiser:
    """The optimiser of a recipe before its first step."""
    kind = OPTIMISERS[recipe.optimiser]
    return kind(network, recipe.momentum, recipe.l2, recipe.l2_on_all, masks or {}, stages)


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
