"""Refits from patches are those from their covariance."""

import numpy as np
import pytest

from deeptheory import measure
from deeptheory.prune import refitting, wide_refitting
from deeptheory.prune.wide_refitting import refitted_wide

RNG = np.random.default_rng(0)


def by_covariance(weight, mask, patches, outputs, centred):
    mean, output_mean = patches.mean(axis=0), outputs.mean(axis=0)
    if not centred:
        mean, output_mean = 0 * mean, 0 * output_mean
    x, z = (patches - mean).astype(np.float64), (outputs - output_mean).astype(np.float64)
    moments = measure.PatchMoments(len(x), mean, x.T @ x / len(x), output_mean, z.T @ x / len(x))
    return refitting.refitted_layer(weight.astype(np.float64), mask, moments)


@pytest.mark.parametrize("n", [7, 40])  # fewer and more patches than weights per filter
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_the_weights_and_offsets_are_those_of_the_covariance(n, centred, masked, monkeypatch):
    monkeypatch.setattr(wide_refitting, "COLUMNS", 3)
    monkeypatch.setattr(wide_refitting, "FILTERS", 2)
    weight = RNG.normal(size=(5, 10)).astype(np.float32)
    mask = RNG.random((5, 10)) < 0.6 if masked else None
    if masked:
        mask[1], mask[3] = mask[0], False  # two filters that keep the same, one that keeps nothing
    patches = (RNG.normal(size=(n, 10)) + 2).astype(np.float32)
    outputs = (patches @ weight.T + 0.3 * RNG.normal(size=(n, 5))).astype(np.float32)
    expected, offset = by_covariance(weight, mask, patches, outputs, centred)
    found, found_offset = refitted_wide(weight, mask, patches.copy(), outputs, centred)
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())
    np.testing.assert_allclose(found_offset, offset, atol=1e-3)
    assert masked == bool((found == 0).any())


def test_equal_patches_leave_offsets_alone():
    patches, outputs = np.full((6, 4), 0.3, np.float32), np.arange(6, dtype=np.float32)[:, None]
    fitted, offset = refitted_wide(np.ones((1, 4), np.float32), None, patches, outputs)
    assert not fitted.any()
    assert offset == pytest.approx([2.5])


def test_patches_of_a_wide_layer_take_half_a_gigabyte():
    assert 4 * wide_refitting.patches_of_wide(25088) * 25088 <= 2**29
    assert wide_refitting.patches_of_wide(25088) == 5349
