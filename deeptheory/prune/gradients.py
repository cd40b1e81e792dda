"""Gradients of the loss at the weights of a trained network, which they leave as it was."""

import copy
from collections.abc import Iterator, Sequence

import numpy as np

from deeptheory import nn
from deeptheory.data import augmentation
from deeptheory.errors import InputError
from deeptheory.nn.kernels import Scratch

INPUTS = 1000  # training inputs behind a gradient, at most
BATCH = 100


def batch_gradients(
    network: nn.Network, images: np.ndarray, labels: np.ndarray, names: Sequence[str]
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Gradients of the mean cross-entropy of every batch of 100 inputs.

    Batch norms use their running statistics: the function that is pruned is the trained one, the loss is a mean
    over independent inputs, and the gradients do not vanish along the scale of a filter, as they do where a batch
    norm divides it out. Inputs are not augmented and the L2 term is left out.

    Parameters
    ----------
    network : Network
        Weights and running statistics are left as they are.
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
        logits, _ = network.forward(augmentation.scale(images[part]))
        network.backward(nn.softmax_cross_entropy(logits, labels[part])[1])
        gradients = network.gradients()
        yield len(logits), {name: gradients[name] for name in names}


def mean_gradients(
    network: nn.Network, images: np.ndarray, labels: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Gradients of the mean cross-entropy of all inputs given, float64 by name; otherwise as `batch_gradients`."""
    totals = {name: np.zeros(network.parameters()[name].shape) for name in names}
    for n, gradients in batch_gradients(network, images, labels, names):
        for name, gradient in gradients.items():
            totals[name] += gradient * (n / len(images))
    return totals


def in_float64(network: nn.Network) -> nn.Network:
    """The same network in float64, with arrays of its own."""
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


def _in_float64(layer: nn.Layer, dtype: np.dtype) -> nn.Layer:
    twin = copy.copy(layer)
    twin.scratch, twin.gradients = Scratch(), {}
    twin.parameters, twin.buffers = (
        {
            name: array.astype(np.float64 if array.dtype == dtype else array.dtype)
            for name, array in own.items()
        }
        for own in (layer.parameters, layer.buffers)
    )
    return twin
