"""How long what can be tried in a few seconds takes on this machine, with the threads in use."""

import functools
import time

import msgspec
import numpy as np

from deeptheory import measure, nn
from deeptheory.measure.streaming import BATCH
from deeptheory.nn.training import steps_per_epoch
from deeptheory.runs.estimates.sizes import Sizes, fresh_network
from deeptheory.runs.network_sources import NetworkSource
from deeptheory.system import threadpools

STEPS = 5  # training steps tried to warm up, and measured twice
BATCHES = 3  # of a forward pass
SLOW = 1e-6  # learning rate of the steps tried: nothing diverges on noise


def epoch_seconds(sizes: Sizes, recipe: nn.Recipe) -> float:
    """Seconds of one epoch of training, from a few steps on noise after as many to warm up.

    Masks, checkpoints and what else the machine will compute then are NOT in it.
    """
    tried = msgspec.structs.replace(recipe, epochs=3, learning_rate=SLOW)
    return steps_per_epoch(sizes.inputs["train"], recipe.batch) * _step_seconds(*_key(sizes), tried)


def pass_seconds(sizes: Sizes) -> float:
    """Seconds of a forward pass, for one input."""
    return _image_seconds(*_key(sizes))


def measure_seconds(sizes: Sizes) -> float:
    """Seconds of the pass that measures what single filters do, for one input."""
    return _filter_seconds(*_key(sizes), tuple(sizes.outputs.items()))


def _key(sizes: Sizes) -> tuple[NetworkSource, int]:
    return sizes.source, threadpools.threads()


def _noise(n: int, source: NetworkSource) -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 256, (n, *source.input_shape), np.uint8)
    return images, np.arange(n) % source.n_labels


@functools.cache
def _step_seconds(source: NetworkSource, threads: int, recipe: nn.Recipe) -> float:
    history = nn.fit(
        fresh_network(source),
        *_noise(STEPS * recipe.batch, source),
        recipe,
        nn.Generators(np.random.default_rng(1), np.random.default_rng(2)),
        session=nn.Session(quiet=True),
    )
    return float(history.seconds[1:].mean()) / STEPS


@functools.cache
def _image_seconds(source: NetworkSource, threads: int) -> float:
    network = fresh_network(source)
    images, _ = _noise(BATCHES * BATCH, source)
    nn.predict_labels(network, images[:BATCH])
    started = time.perf_counter()
    nn.predict_labels(network, images)
    return (time.perf_counter() - started) / len(images)


@functools.cache
def _filter_seconds(source: NetworkSource, threads: int, stages: tuple[tuple[str, int], ...]) -> float:
    network, n_labels = fresh_network(source), source.n_labels
    images, labels = _noise(max(BATCHES * BATCH, n_labels), source)
    rng = np.random.default_rng(3)
    probes = {stage: rng.standard_normal((n_labels, outputs), np.float32) for stage, outputs in stages}
    for _ in range(2):  # the first pass loads the kernels
        started = time.perf_counter()
        measure.filter_statistics(network, images, labels, probes, quiet=True)
        seconds = time.perf_counter() - started
    return seconds / len(images)
