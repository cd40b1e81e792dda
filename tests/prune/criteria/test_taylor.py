import numpy as np

from deeptheory import prune


def test_scores_are_mean_squares_over_batches(tiny_context, tiny_inputs, slopes, per_unit, monkeypatch):
    images, labels = tiny_inputs
    monkeypatch.setattr("deeptheory.prune.gradients.BATCH", 6)  # of 14: two full batches, one of two inputs
    here, batches = tiny_context(), []
    for part in (slice(0, 6), slice(6, 12), slice(12, 14)):
        slope = slopes(tiny_context(inputs=(images[part], labels[part])))
        batches.append((slope, len(labels[part]) / 14))
    for granularity in ("weight", "kernel", "filter"):
        found = prune.scores_for("taylor", tiny_context(granularity))
        for layer in here.layers[: len(found)]:
            weight, name = here.weights[layer.weight], layer.weight
            changes = [(per_unit(layer, weight * slope[name], granularity), n) for slope, n in batches]
            expected = sum(change**2 * n for change, n in changes)
            np.testing.assert_allclose(found[name], expected, rtol=0, atol=1e-9)
            assert expected.max() > 1e-4
