import numpy as np

from deeptheory.measure.array_layout import filter_major


def test_filter_major_is_a_transposition():
    outputs = np.random.default_rng(4).random((3, 18, 37), np.float32)
    np.testing.assert_array_equal(filter_major(outputs), outputs.transpose(0, 2, 1))
    by_filter = np.empty((37, 3, 18), np.float32)
    filter_major(outputs, by_filter.transpose(1, 0, 2))
    np.testing.assert_array_equal(by_filter, outputs.transpose(2, 0, 1))
