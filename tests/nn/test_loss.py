"""The loss against its definition."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.nn.kernels import definitions


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_loss_agrees_with_its_definition(dtype, rtol):
    rng = np.random.default_rng(1)
    logits, labels = 5 * rng.standard_normal((7, 10)).astype(dtype), rng.integers(0, 10, 7)
    loss, dlogits = nn.softmax_cross_entropy(logits, labels)
    expected, gradient = definitions.softmax_cross_entropy(logits.astype(np.float64), labels)
    assert loss == pytest.approx(expected, rel=rtol)
    np.testing.assert_allclose(dlogits, gradient, rtol=rtol, atol=rtol / 10)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_smoothed_loss_is_the_cross_entropy_of_the_smoothed_target(smoothing):
    rng = np.random.default_rng(2)
    logits, labels = 3 * rng.standard_normal((7, 5)), rng.integers(0, 5, 7)
    target = np.full((7, 5), smoothing / 5)
    target[np.arange(7), labels] += 1 - smoothing
    log_softmax = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss, dlogits = nn.softmax_cross_entropy(logits, labels, smoothing=smoothing)
    assert loss == pytest.approx(-np.mean(np.sum(target * log_softmax, axis=1)), rel=1e-12)
    step, differences = 1e-6, np.empty_like(logits)
    for place in np.ndindex(logits.shape):
        shifted = logits.copy()
        losses = []
        for sign in (1, -1):
            shifted[place] = logits[place] + sign * step
            losses.append(nn.softmax_cross_entropy(shifted, labels, smoothing=smoothing)[0])
        differences[place] = (losses[0] - losses[1]) / (2 * step)
    np.testing.assert_allclose(dlogits, differences, atol=1e-9)


def test_smoothed_losses_of_parts_add_up():
    rng = np.random.default_rng(3)
    logits, labels = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    whole, gradient = nn.softmax_cross_entropy(logits, labels, smoothing=0.2)
    parts = [nn.softmax_cross_entropy(logits[p], labels[p], 6, 0.2) for p in (slice(0, 2), slice(2, 6))]
    assert sum(loss for loss, _ in parts) == pytest.approx(whole, rel=1e-12)
    np.testing.assert_allclose(np.concatenate([g for _, g in parts]), gradient, rtol=1e-12)
