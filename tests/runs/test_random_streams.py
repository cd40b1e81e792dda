import numpy as np
import pytest

from deeptheory.runs.random_streams import STREAMS, generator

# The first draw of every stream of seed 0: another number means that old seeds mean something else now.
FIRST = {
    "split": 3445585646,
    "weights": 2843493045,
    "batches": 2819132514,
    "augmentation": 3833089861,
    "probe": 751395872,
    "bootstrap": 335180553,
    "controls": 1590247158,
    "retrain-batches": 3671724838,
    "retrain-augmentation": 1715612915,
    "prediction": 2951975520,
    "budget": 325532677,
    "revision": 1544415595,
    "shuffled-labels": 2583268373,
    "sensitivity": 1216943931,
    "labels-used": 3047163878,
    "label-noise": 4197136327,
}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_stays_what_it_was(stream):
    assert generator(0, stream).integers(2**32) == FIRST[stream]


def test_streams_and_seeds_are_independent():
    draws = np.array([generator(seed, stream).random(1000) for seed in range(3) for stream in STREAMS])
    correlations = np.corrcoef(draws)[np.triu_indices(len(draws), 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(1000)  # five standard errors


def test_names_in_a_stream_are_independent_of_each_other():
    draws = [generator(0, "controls", name).integers(2**32) for name in ("", "lamp", "random")]
    assert len(set(draws)) == 3
    assert draws[1] == 2902872521
