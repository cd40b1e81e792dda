"""Gradients of the loss at the weights of a trained network, which is not changed."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.data import augmentation
from deeptheory.data.dataset import Images
from deeptheory.errors import InputError
from deeptheory.nn.kernels import Scratch
from deeptheory.nn.layers.base import Array

INPUTS = 1000  # training inputs behind a gradient, at most
BATCH = 100


def batch_gradients(
    network: nn.Network, images: Images, labels: NDArray[np.int64], names: Sequence[str]
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Gradients of the mean cross-entropy of every batch of 100 inputs.

    Batch norms use their running statistics: the pruned function is the trained one, the loss is a mean over
    independent inputs, and the gradients along the scale of a filter do not vanish, as they would if a batch norm
    normalised by the batch. Inputs are not augmented and the L2 term is left out.

    Parameters
    ----------
    network : Network
        Weights and running statistics are not changed.
    images : uint8 array (N, H, W, C)
    labels : int array (N,)
    names : sequence of str
        Of parameters.

    Yields
    ------
    n : int
        Inputs of the batch.
    gradients : dict of arrays
        By name, of the parameter's shape; overwritten by the next batch.

    Raises
    ------
    InputError
        There is no input, or a label is not within those of the network.
    """
    if not len(images) or len(images) != len(labels):
        found = f"{len(images)} images and {len(labels)} labels"
        raise InputError("training inputs", "at least one, each with its label", found)
    if labels.min() < 0 or labels.max() >= network.n_labels:
        raise InputError(
            "labels",
            f"0 to {network.n_labels - 1}",
            f"{labels.min()} to {labels.max()}",
            "pass the run's own",
        )
    for start in range(0, len(images), BATCH):
        part = slice(start, start + BATCH)
        yield len(labels[part]), _batch_gradients(network, images[part], labels[part], names)


def _batch_gradients(
    network: nn.Network, images: Images, labels: NDArray[np.int64], names: Sequence[str]
) -> dict[str, Array]:
    """Gradients of one batch, added up over as many passes as it needs."""
    totals, per_pass = dict[str, Array](), network.inputs_per_pass
    for start in range(0, len(images), per_pass):
        part = slice(start, start + per_pass)
        logits, _ = network.forward(augmentation.scale(images[part]))
        slopes = nn.softmax_cross_entropy(logits, labels[part])[1]
        network.backward(slopes * (len(logits) / len(images)) if len(images) > per_pass else slopes)
        gradients = network.gradients()
        if len(images) <= per_pass:
            return {name: gradients[name] for name in names}
        totals = {name: totals.get(name, 0) + gradients[name] for name in names}
    return totals


def mean_gradients(
    network: nn.Network, images: Images, labels: NDArray[np.int64], names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Gradients of the mean cross-entropy of all inputs, float64 by name; otherwise as `batch_gradients`."""
    totals = {name: np.zeros(network.parameters()[name].shape) for name in names}
    for n, gradients in batch_gradients(network, images, labels, names):
        for name, gradient in gradients.items():
            totals[name] += gradient * (n / len(images))
    return totals


def in_float64(network: nn.Network) -> nn.Network:
    """A copy of the network in float64."""
    stages = [
        nn.Stage(
            stage.name,
            {key: _in_float64(layer, network.dtype) for key, layer in stage.layers.items()},
            stage.output_shape,
            stage.inputs,
        )
        for stage in (*network.stages, network.head)
    ]
    return nn.Network(stages[:-1], stages[-1], network.input_shape, np.float64)


def _in_float64(layer: nn.Layer, dtype: np.dtype[Any]) -> nn.Layer:
    double = copy.copy(layer)
    double.scratch, double.gradients = Scratch(), {}
    double.parameters, double.buffers = (
        {
            name: array.astype(np.float64 if array.dtype == dtype else array.dtype)
            for name, array in arrays.items()
        }
        for arrays in (layer.parameters, layer.buffers)
    )
    return double
