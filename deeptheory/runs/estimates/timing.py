"""What finished runs recorded of a step, and the time of an epoch from a few training steps on noise."""

import contextlib
import functools
import itertools
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from deeptheory import nn
from deeptheory.data.texts import IDS
from deeptheory.errors import InputError
from deeptheory.nn.training import steps_per_epoch
from deeptheory.runs.estimates.memory_law import Sizes
from deeptheory.runs.network_sources import NetworkSource
from deeptheory.store import hdf5, paths
from deeptheory.system import threadpools

STEPS = 5  # training steps tried to warm up, and measured twice
LOOKED_AT = 8  # runs of a study whose records are read: a sweep may have thousands
SLOW = 1e-6  # learning rate of the steps tried: nothing diverges on noise


def recorded(directories: Iterable[Path]) -> tuple[dict[str, int], dict[str, float]]:
    """Largest peak in bytes and longest time in seconds of every step that runs of one configuration have done.

    Those of the first `LOOKED_AT` of them that have done anything. Times are those of as many threads as are in
    use.
    """
    peaks, seconds = dict[str, int](), dict[str, float]()
    begun = (directory for directory in directories if (directory / paths.RESULTS).exists())
    for directory in itertools.islice(begun, LOOKED_AT):
        results = directory / paths.RESULTS
        with (
            contextlib.suppress(InputError),  # of a damaged file, which is reported where a step reads it
            hdf5.open_for_reading(results) as file,
        ):
            run = hdf5.OpenFile(file)  # no `Run`: to parse its options takes longer than all of this
            for step in paths.STEPS:
                if hdf5.has(file, peak := paths.join(step, paths.PEAK_BYTES)):  # older files lack it
                    peaks[step] = max(peaks.get(step, 0), int(run.read_number(peak)))
                    if run.read_number(paths.provenance_path(step, "threads")) == threadpools.threads():
                        time = run.read_number(paths.join(step, paths.WALL_SECONDS))
                        seconds[step] = max(seconds.get(step, 0.0), time)
    return peaks, seconds


def epoch_seconds(sizes: Sizes, recipe: nn.Recipe, stages: tuple[str, ...] = ()) -> float:
    """Seconds of one epoch of training, of some stages or of all; masks and checkpoints are NOT in it."""
    n = sizes.inputs["train"]
    batch = min(recipe.batch, n)
    tried = msgspec.structs.replace(
        recipe,
        epochs=3,
        batch=batch,
        learning_rate=SLOW,
        schedule="constant",
        warm_up=0,
        milestones=(),
        factors=(),
    )
    return steps_per_epoch(n, batch) * _step_seconds(sizes.source, threadpools.threads(), tried, stages)


@functools.cache
def _step_seconds(source: NetworkSource, threads: int, recipe: nn.Recipe, stages: tuple[str, ...]) -> float:
    rng, n = np.random.default_rng(0), STEPS * recipe.batch
    network, labels = source.fresh(rng), np.arange(n) % source.n_labels
    lowest, beyond, kind = (1, network.n_words, IDS) if network.n_words else (0, 256, np.uint8)
    images = rng.integers(lowest, beyond, (n, *source.input_shape), kind)
    generators, session = nn.Generators(rng, rng), nn.Session(quiet=True)
    history = nn.fit(network, images, labels, recipe, generators, stages=stages, session=session)
    return float(history.seconds[1:].mean()) / STEPS
