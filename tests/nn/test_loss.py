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
