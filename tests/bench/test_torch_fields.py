"""The reference procedure gives the fields that this package measures."""

import numpy as np
import pytest

from deeptheory import measure, nn
from deeptheory.bench.cases import random_probe

torch = pytest.importorskip("torch")

from deeptheory.bench import torch_fields  # noqa: E402
from deeptheory.bench.torch_networks import torch_twin  # noqa: E402


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_fields_agree(memory_format):
    rng = np.random.default_rng(0)
    network = nn.build("vgg6", 100, (16, 16, 3), width=1 / 16, rng=rng)
    images = rng.integers(0, 256, (130, 16, 16, 3), np.uint8)
    labels = rng.permutation(np.arange(130) % 100)
    means = measure.class_statistics(network, images, labels, ["stage2"], 100, quiet=True)["stage2"].means
    probe = random_probe(*means.shape[1:])
    twin = torch_twin(network, "stage2").eval().to(memory_format=memory_format)
    found = torch_fields.fields(twin, images, labels, probe, 40, memory_format)
    expected = measure.fields_from_class_means(means, probe)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    torch_fields.clusters_and_snr(found)
