"""Moments of the patches that a layer reads, and of the outputs to be explained by them, in one streamed pass."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.data import augmentation
from deeptheory.errors import InputError, unknown_name
from deeptheory.measure.streaming import Images
from deeptheory.system import memory
from deeptheory.system.progress import Progress

ROUNDING = 1e-5  # of the mean: a smaller spread is the float32 rounding of constants

Array = NDArray[np.floating]


@dataclass(frozen=True)
class PatchMoments:
    """Moments over inputs and positions that linear regression on the patches of a layer needs.

    Attributes
    ----------
    n_patches : int
        Inputs times positions. Neighbouring positions overlap: as independent samples they count as fewer.
    mean : float64 array (D,)
        Of the patches, in the order of the layer's weights, ``weight.reshape(B, D)``.
    covariance : float64 array (D, D)
        Divided by `n_patches`.
    output_mean : float64 array (B,)
        Of the layer's outputs z_b in the reference network, before bias, batch norm and activation.
    cross : float64 array (B, D)
        Covariance of these outputs with the patches.
    """

    n_patches: int
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    output_mean: NDArray[np.float64]
    cross: NDArray[np.float64]

    @property
    def constant(self) -> bool:
        """Whether all patches are equal up to rounding, as behind a stage whose filters are all dead."""
        return bool(np.trace(self.covariance) <= ROUNDING**2 * np.sum(self.mean**2))


def patch_moments(
    network: nn.Network,
    images: Images,
    layer: str,
    reference: nn.Network | None = None,
    title: str = "patches",
    quiet: bool = False,
    ridge: float = 1e-6,
) -> PatchMoments:
    """Mean and covariance of the patches that a layer reads, and their covariance with its outputs in a reference.

    Exact for the inputs given. Products of a batch are taken about the mean of the first batch and added up in
    float64. For a convolution they are taken in float32, and once more in float64 if patches vary along so few
    directions that rounding leaves no positive definite matrix.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C), or float32 array (N, ...) as in `visit`
    layer : str
        Name of a convolution without groups or of a linear layer, "stage3.conv".
    reference : Network, optional
        The network whose outputs of that layer are to be explained; by default `network` itself, where the cross
        covariance is weight times covariance.
    ridge : float
        Share of the mean variance that will be added to the diagonal before the covariance is inverted.

    Returns
    -------
    PatchMoments
        Needs 16 D^2 bytes, D = weights per filter.

    Raises
    ------
    InputError
        The layer does not exist or does not mix its inputs, there is no image, or the memory does not suffice.
    """
    reading = mixing_layer(network, layer)
    explained = reference or network
    bias = mixing_layer(explained, layer).parameters.get("bias", 0)
    width = reading.parameters["weight"][0].size
    memory.require_memory(f"covariance of the patches of {layer}", 16 * width**2, "take fewer filters")
    if not len(images):
        raise InputError("images", "at least one", "none")
    source = next(node.inputs[0] for node in network.nodes if node.name == layer)

    n_positions = math.prod(explained.output_shape(layer)[:-1])
    per_pass = min(explained.inputs_per_pass, nn.inputs_that_fit(patch_bytes(width, n_positions)))

    def batches() -> Iterator[tuple[Array, Array]]:
        pixels = np.empty((min(per_pass, len(images)), *images.shape[1:]), np.float32)
        with Progress(f"{title} of {layer}", len(images), "input", quiet) as progress:
            for start in range(0, len(images), per_pass):
                rows = np.arange(start, min(start + per_pass, len(images)))
                x = augmentation.gather(images, rows, pixels)
                inputs = x if source == nn.graph.INPUT else network.internals(x, [source])[source]
                outputs = explained.internals(x, [layer])[layer]
                yield unfold(inputs, reading), outputs.reshape(-1, outputs.shape[-1]) - bias
                progress.advance(start + len(rows))

    order = order_of_weights(reading.parameters["weight"].shape)
    return moments_of(batches, order, nodes=isinstance(reading, nn.Linear), ridge=ridge)


def patch_bytes(width: int, n_positions: int) -> int:
    """Bytes of the patches of one input while their moments are taken: in float32, about their mean, a product."""
    return 12 * width * n_positions


def moments_of(
    batches: Callable[[], Iterable[tuple[Array, Array]]],
    order: NDArray[np.int64],
    nodes: bool,
    ridge: float,
) -> PatchMoments:
    """The moments of patches that come in batches, in float32 where that is enough.

    Parameters
    ----------
    batches : callable
        Returns at every call the same batches of patches (n, D) and of the outputs (n, B) that they are to
        explain, without bias.
    order : int array (D,)
        Position in a patch of each of a filter's weights.
    nodes : bool
        Whether the layer is fully connected: nodes vary along few directions, so float64 is used at once.
    ridge : float
        As in `patch_moments`.
    """

    def moments(dtype: type[np.floating]) -> PatchMoments:
        sums: _Sums | None = None
        for patches, outputs in batches():
            sums = sums or _Sums(patches.shape[1], outputs.shape[1])
            sums.add(patches.astype(dtype, copy=False), outputs)
        assert sums is not None
        return sums.moments(order)

    if nodes:
        return moments(np.float64)
    single = moments(np.float32)
    return single if single.constant or _is_positive(single.covariance, ridge) else moments(np.float64)


def _is_positive(covariance: NDArray[np.float64], ridge: float) -> bool:
    """Whether the matrix with the ridge on its diagonal has a Cholesky factor."""
    mean = np.trace(covariance) / len(covariance)
    try:
        np.linalg.cholesky(covariance + ridge * mean * np.eye(len(covariance)))
    except np.linalg.LinAlgError:
        return False
    return True


def mixing_layer(network: nn.Network, layer: str) -> nn.Conv2d | nn.Linear:
    """The layer of that name, a convolution without groups or a linear layer.

    Raises
    ------
    InputError
        There is none of that name, or it is of another kind.
    """
    layers = {node.name: node.layer for node in network.nodes}
    if layer not in layers:
        raise unknown_name("layer", layer, layers)
    named = layers[layer]
    if not isinstance(named, nn.Linear) and not (isinstance(named, nn.Conv2d) and named.groups == 1):
        expected = "a convolution without groups or a linear layer"
        of_heads = (
            "attention is not linear in its weights: leave its stage out, or take a criterion without refits"
        )
        do = of_heads if isinstance(named, nn.SelfAttention) else ""
        raise InputError(f"layer '{layer}'", expected, type(named).__name__, do)
    return named


def unfold(inputs: Array, layer: nn.Conv2d | nn.Linear) -> Array:
    """The patches that a layer reads, one row for every input and position, taps before channels.

    Parameters
    ----------
    inputs : float array (N, H, W, C) or (N, C)
        The layer's input.

    Returns
    -------
    float array (N * positions, kh * kw * C) or (N, C)
    """
    if isinstance(layer, nn.Linear):
        return inputs
    kh, kw = layer.parameters["weight"].shape[2:]
    side = (layer.padding, layer.padding)
    padded = np.pad(inputs, ((0, 0), side, side, (0, 0)))
    windows = sliding_window_view(padded, (kh, kw), axis=(1, 2))[:, :: layer.stride, :: layer.stride]
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, kh * kw * inputs.shape[-1])


class _Sums:
    """Sums of patches, of reference outputs and of their products, about the means of the first batch."""

    def __init__(self, width: int, n_outputs: int) -> None:
        self.n = 0
        self.patches, self.outputs = np.zeros(width), np.zeros(n_outputs)
        self.squares, self.products = np.zeros((width, width)), np.zeros((n_outputs, width))

    def add(self, patches: Array, outputs: Array) -> None:
        if not self.n:
            self.origins = patches.mean(axis=0), outputs.mean(axis=0)
        patches, outputs = patches - self.origins[0], outputs - self.origins[1]
        self.n += len(patches)
        self.patches += patches.sum(axis=0, dtype=np.float64)
        self.outputs += outputs.sum(axis=0, dtype=np.float64)
        self.squares += patches.T @ patches
        self.products += outputs.T @ patches

    def moments(self, order: NDArray[np.int64]) -> PatchMoments:
        mean, output_mean = self.patches / self.n, self.outputs / self.n
        covariance = self.squares / self.n - np.outer(mean, mean)
        cross = self.products / self.n - np.outer(output_mean, mean)
        return PatchMoments(
            self.n,
            (self.origins[0] + mean)[order],
            covariance[np.ix_(order, order)],
            self.origins[1] + output_mean,
            cross[:, order],
        )


def order_of_weights(shape: Sequence[int]) -> NDArray[np.int64]:
    """Positions of a filter's weights (in, kh, kw) in a row of `unfold`."""
    n_in, *taps = shape[1:]
    return np.arange(int(np.prod(shape[1:]))).reshape(-1, n_in).T.ravel() if taps else np.arange(n_in)
