"""A stand-in network of two stages, and inputs, labels and probes for it."""

import numpy as np
import pytest

from deeptheory.data.augmentation import scale

N, K = 230, 5


class TwoStages:
    """A stand-in network: stage1 is (n, 4, 4, 3), stage2 is (n, 7)."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.passes = 0
        self.filters = rng.standard_normal((3, 3)).astype(np.float32)
        self.nodes = rng.standard_normal((48, 7)).astype(np.float32)

    inputs_per_pass = 100

    def internals(self, x):
        first = np.maximum(x @ self.filters, 0)
        return {"stage1": first, "stage2": np.maximum(first.reshape(len(x), -1) @ self.nodes, 0)}

    def observe(self, x, observers):
        self.passes += len(x) / N
        internals = self.internals(x)
        for stage, observer in observers.items():
            observer(internals[stage])
            internals[stage][:] = np.nan  # as a network overwrites its internals


@pytest.fixture
def two_stages():
    rng = np.random.default_rng(1)
    labels = rng.permutation(np.arange(N) % K)
    images = rng.integers(0, 256, (N, 4, 4, 3), np.uint8)
    images[..., 0] = np.clip(images[..., 0] // 2 + 25 * labels[:, None, None], 0, 255)
    probes = {
        "stage1": rng.standard_normal((K, 48)).astype(np.float32),
        "stage2": rng.standard_normal((K, 7)).astype(np.float32),
    }
    return TwoStages(), images, labels, probes


def outputs(network, images, stage):
    """(N, C, P) in float64, all at once."""
    output = network.internals(scale(images))[stage].astype(np.float64)
    return output[:, :, None] if output.ndim == 2 else output.reshape(N, 16, 3).transpose(0, 2, 1)
