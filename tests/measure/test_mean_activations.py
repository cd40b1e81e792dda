import tracemalloc

import numpy as np
import pytest

from deeptheory import measure
from deeptheory.errors import InputError
from deeptheory.measure.mean_activations import ClassSums
from tests.measure.conftest import K, outputs


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_streamed_class_means_equal_those_of_all_inputs_at_once(two_stages, stage):
    network, images, labels, _ = two_stages
    found = measure.class_statistics(network, images, labels, ["stage1", "stage2"], K, quiet=True)[stage]
    whole = outputs(network, images, stage)
    np.testing.assert_allclose(found.means, measure.class_means(whole, labels, K), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.counts, np.bincount(labels))
    assert network.passes == 1


@pytest.mark.parametrize("ordered", [True, False])
def test_sums_of_runs_are_the_plain_sums(ordered):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, K, 100)
    labels = np.sort(labels) if ordered else labels
    outputs = rng.random((100, 9, 300), np.float32)  # 2700 elements: several parts, the last one smaller
    found = ClassSums(labels, np.ones(K, np.int64))
    found(outputs, np.arange(100))
    expected = np.zeros((K, 2700))
    np.add.at(expected, labels, outputs.reshape(100, -1))
    np.testing.assert_allclose(found.sums.reshape(K, -1), expected, rtol=1e-6)


def test_memory_of_class_statistics_does_not_grow_with_the_number_of_inputs(two_stages):
    network, images, labels, probes = two_stages

    def peak(repeats):
        many, many_labels = np.tile(images, (repeats, 1, 1, 1)), np.tile(labels, repeats)
        tracemalloc.start()
        measure.class_statistics(network, many, many_labels, list(probes), K, quiet=True)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most - 2 * many_labels.nbytes  # the labels, and the order in which inputs are visited

    peak(1)  # imports and compilation
    assert peak(20) < 1.2 * peak(2)


def test_a_label_without_input_is_named(two_stages):
    network, images, labels, _ = two_stages
    with pytest.raises(InputError, match="none of label 3"):
        measure.class_statistics(network, images, np.where(labels == 3, 2, labels), ["stage1"], K, quiet=True)
