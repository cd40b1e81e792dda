import base64
import gzip

import numpy as np
import pytest

from deeptheory import measure
from deeptheory.reports.html.field_codes import arrays_of, encode, packed, precision

THRESHOLDS = [0.3, 0.7]


def means_and_weight(n_positions, n_labels=30, seed=0):
    """Of every kind: without a positive field, zero everywhere, with negative fields that are far larger."""
    rng = np.random.default_rng(seed)
    means = np.abs(rng.normal(size=(n_labels, 8, n_positions)))
    weight = rng.normal(size=(n_labels, 8, n_positions))
    weight[:, 1] = -np.abs(weight[:, 1])
    weight[:, 2] = 0
    weight[:, 3] *= 1e-300
    weight[:, 4] = -np.abs(weight[:, 4])
    weight[5, 4] = 1e-4
    return means, weight


# One outer product, several, and the elements themselves.
@pytest.mark.parametrize("n_positions", [1, 4, 14, 15, 16, 100])
@pytest.mark.parametrize("thresholds", [THRESHOLDS, [0.3], [0.0, 0.5], [0.3, 0.3001]])
def test_clipping_codes_is_clipping_fields_and_elements_are_precise(n_positions, thresholds):
    means, weight = means_and_weight(n_positions)
    fields = measure.normalise(measure.fields_from_class_means(means, weight))
    for field, code in zip(fields, encode(means, weight, thresholds), strict=True):
        assert code.numbers.shape[-1] == 30
        assert code.numbers.ndim == (3 if n_positions < 15 else 2)
        found = code.field(thresholds)
        for threshold in thresholds:
            np.testing.assert_array_equal(found > threshold, field > threshold)
        error = np.abs(found - field).max()
        assert error <= precision(30) * max(1, np.abs(field).max()) + 1e-11


def test_more_labels_are_more_precise():
    assert [precision(n_labels) for n_labels in (3, 100, 1000)] == [0.02, 0.01, 0.001]
    (code,) = encode(*(one[:, :1] for one in means_and_weight(1, n_labels=400)), THRESHOLDS)
    means, weight = (one[:, :1] for one in means_and_weight(1, n_labels=400))
    field = measure.normalise(measure.fields_from_class_means(means, weight))[0]
    assert np.abs(code.field(THRESHOLDS) - field).max() <= 1 / 400 + 1e-11
    assert code.numbers.shape == (2, 1, 400)


def test_negative_fields_are_kept():
    means, weight = means_and_weight(4)
    fields = measure.normalise(measure.fields_from_class_means(means, weight))
    code = next(encode(means, weight, THRESHOLDS))
    assert fields[0].min() < -0.5
    assert code.field(THRESHOLDS).min() == pytest.approx(fields[0].min(), abs=0.02 * np.abs(fields[0]).max())


@pytest.mark.parametrize("n_positions", [1, 4, 100])
def test_arrays_hold_all_of_the_codes(n_positions):
    codes = list(encode(*means_and_weight(n_positions), THRESHOLDS))
    n_products, exponents, n_moved, gaps, places, low, high = arrays_of(codes)
    assert exponents.tolist() == [code.exponent for code in codes]
    assert n_moved.sum() == len(gaps) == len(places) > 0
    zigzag = low.astype(int) + 256 * high.astype(int)
    numbers = np.where(zigzag % 2, -(zigzag + 1) // 2, zigzag // 2)
    start = 0
    if n_positions == 100:
        assert n_products.tolist() == [0] * 8
        np.testing.assert_array_equal(numbers.reshape(8, 30, 30), [code.numbers for code in codes])
        return
    for product in range(max(n_products)):
        for code in codes:
            if product < code.numbers.shape[1]:
                found = numbers[start : start + 60].reshape(2, 30)
                np.testing.assert_array_equal(found, code.numbers[:, product])
                start += 60
    assert start == len(numbers)


def test_packed_arrays_are_the_same_at_every_call():
    arrays = np.arange(3, dtype="<u2"), np.array([7, 8], np.uint8)
    text = packed(*arrays)
    assert text == packed(*arrays)
    assert gzip.decompress(base64.b64decode(text)) == bytes([0, 0, 1, 0, 2, 0, 7, 8])
