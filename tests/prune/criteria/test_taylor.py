import numpy as np
import pytest

from deeptheory import prune


@pytest.mark.parametrize("granularity", ["weight", "kernel", "filter"])
def test_scores_are_mean_squares_over_batches(
    tiny_context, tiny_inputs, slopes, per_unit, monkeypatch, granularity
):
    images, labels = tiny_inputs
    monkeypatch.setattr("deeptheory.prune.gradients.BATCH", 6)  # of 14: two full batches, one of two inputs
    found = prune.scores_for("taylor", tiny_context(granularity))
    expected = 0
    for part in (slice(0, 6), slice(6, 12), slice(12, 14)):
        here = tiny_context(granularity, inputs=(images[part], labels[part]))
        slope, n = slopes(here), len(labels[part])
        expected += np.concatenate(
            [
                (per_unit(layer, here.weights[layer.weight] * slope[layer.weight], granularity).ravel()) ** 2
                * n
                / 14
                for layer in here.units
            ]
        )
    together = np.concatenate([score.ravel() for score in found.values()])
    np.testing.assert_allclose(together, expected, rtol=0, atol=1e-9)
    assert expected.max() > 1e-3
