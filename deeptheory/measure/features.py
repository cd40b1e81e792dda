"""Outputs of stages over a data set: kept for fitting probes, or passed on batch by batch."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deeptheory import machine
from deeptheory.data import augment
from deeptheory.errors import InputError
from deeptheory.progress import Progress

BATCH = 100  # inputs per forward pass: the activations of a small network stay in the cache


class Measurable(Protocol):
    """What measuring needs of a network: internals by name."""

    def internals(self, x: NDArray, taps: Sequence[str]) -> dict[str, NDArray]:
        """The internals asked for."""


def filter_major(output: NDArray) -> NDArray:
    """Output of a stage (N, H, W, C) or (N, C) as (N, C, P), P = H*W positions."""
    if output.ndim == 2:
        return output[:, :, None]
    return np.ascontiguousarray(output.reshape(len(output), -1, output.shape[-1]).transpose(0, 2, 1))


def iterate_stages(
    network: Measurable,
    images: NDArray[np.uint8],
    stages: Sequence[str],
    title: str = "measure",
    quiet: bool = False,
) -> Iterator[tuple[slice, dict[str, NDArray]]]:
    """One streamed pass: the outputs of several stages, a batch at a time.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C)
    stages : sequence of str

    Yields
    ------
    rows : slice
        Which inputs.
    outputs : dict of float arrays (n, C, P)
        By stage name; memory does not grow with N.
    """
    with machine.single_threaded_blas(), Progress(title, len(images), "input", quiet) as progress:
        for start in range(0, len(images), BATCH):
            rows = slice(start, min(start + BATCH, len(images)))
            internals = network.internals(augment.scale(images[rows]), tuple(stages))
            yield rows, {stage: filter_major(internals[stage]) for stage in stages}
            progress.advance(rows.stop)


def stage_features(
    network: Measurable,
    images: NDArray[np.uint8],
    stage: str,
    title: str = "features",
    quiet: bool = False,
) -> NDArray[np.float32]:
    """Outputs of one stage for all images, to fit a probe on.

    Returns
    -------
    float32 array (N, C*P)
        Filter-major, as a probe's weights are. Needs N*C*P*4 bytes.

    Raises
    ------
    InputError
        The features would not fit into the free memory.
    """
    features = None
    for rows, outputs in iterate_stages(network, images, (stage,), title, quiet):
        output = outputs[stage]
        if features is None:
            width = output.shape[1] * output.shape[2]
            _check_memory(stage, 4 * len(images) * width)
            features = np.empty((len(images), width), np.float32)
        features[rows] = output.reshape(len(output), -1)
    if features is None:
        raise InputError("images", "at least one", "none")
    return features


def complete_fields(
    network: Measurable,
    images: NDArray[np.uint8],
    probes: Mapping[str, NDArray],
    title: str = "fields",
    quiet: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """Complete fields H = W a of every stage's probe for every input, in one streamed pass.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C)
    probes : mapping of stage name to float array (K, C*P)

    Returns
    -------
    dict of float64 arrays (N, K)
        By stage name. Fields of different stages do not compare in size: each probe has its own scale.
    """
    fields = {stage: np.empty((len(images), len(weight))) for stage, weight in probes.items()}
    for rows, outputs in iterate_stages(network, images, tuple(probes), title, quiet):
        for stage, output in outputs.items():
            fields[stage][rows] = output.reshape(len(output), -1) @ probes[stage].T
    return fields


def _check_memory(stage: str, needed: int) -> None:
    free = machine.free_memory()
    if free is not None and needed > 0.8 * free:
        raise InputError(
            f"features of {stage}",
            f"at most 80 % of the free memory, {0.8 * free / 1e9:.1f} GB",
            f"{needed / 1e9:.1f} GB",
            "set probe.inputs to fit the probes on fewer inputs",
        )
