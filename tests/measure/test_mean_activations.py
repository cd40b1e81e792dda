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


@pytest.mark.parametrize("shape", [(9, 1300), (1300, 9), (1, 7), (2000, 1)])  # several parts, and one
def test_means_are_the_plain_ones_however_labels_fall_into_batches(shape):
    rng = np.random.default_rng(3)
    counts = np.array([1, 70, 3, 60, 16])
    outputs = rng.random((150, *shape), np.float32)
    found = ClassSums(counts)
    for start in range(0, 150, 50):
        found(outputs[start : start + 50], np.arange(start, start + 50))
    expected = measure.class_means(outputs.transpose(0, 2, 1), np.repeat(np.arange(5), counts), 5)
    np.testing.assert_allclose(found.means, expected, rtol=1e-6)


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
