"""Counts of networks, against counting by hand."""

import numpy as np
import pytest

from deeptheory import nn, prune

pytestmark = pytest.mark.usefixtures("one_thread")


def chain(dtype=np.float32):
    """4x4x2 -> conv 3 filters, norm, relu, pool to 2x2x3 -> linear 5."""
    rng = np.random.default_rng(0)
    stage = nn.Stage(
        "stage1",
        {
            "conv": nn.Conv2d(2, 3, 3, padding=1, bias=True, rng=rng, dtype=dtype),
            "norm": nn.BatchNorm2d(3, dtype),
            "relu": nn.ReLU(),
            "pool": nn.MaxPool2d(2),
        },
        (2, 2, 3),
    )
    head = nn.Stage("head", {"flatten": nn.Flatten(), "linear": nn.Linear(12, 5, rng=rng, dtype=dtype)}, (5,))
    return nn.Network([stage], head, (4, 4, 2), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_is_counted_as_by_hand(dtype):
    found, size = prune.footprint_of(chain(dtype)), np.dtype(dtype).itemsize
    assert found.parameters == 2 * 3 * 9 + 3 + 6 + 12 * 5
    assert found.nonzero == found.parameters - 6  # the biases are zero at first
    assert found.multiply_adds == 16 * 2 * 3 * 9 + 60
    assert found.array_bytes == size * (found.parameters + 6)
    # images 32, conv 48 with norm and relu over it, pool 12, flatten 12, logits 5
    assert found.activation_bytes == size * (32 + 48)
    assert found.traffic_bytes == size * ((32 + 48) + (48 + 12) + (12 + 12) + (12 + 5))


def test_a_shortcut_is_held_until_the_sum_has_read_it():
    rng = np.random.default_rng(0)
    stage = nn.Stage(
        "stage1",
        {
            "conv": nn.Conv2d(1, 2, 1, rng=rng),
            "branch": nn.Conv2d(2, 2, 1, rng=rng),
            "sum": nn.Sum(),
            "pool": nn.GlobalAveragePool(),
        },
        (2,),
        {"sum": ("stage1.branch", "stage1.conv")},
    )
    head = nn.Stage("head", {"linear": nn.Linear(2, 2, rng=rng)}, (2,))
    found = prune.footprint_of(nn.Network([stage], head, (3, 3, 1)))
    assert found.activation_bytes == 4 * 9 * (2 + 2 + 2)  # both terms and the sum


def test_a_mask_changes_the_zeros_and_compaction_the_rest():
    rng = np.random.default_rng(0)
    network = nn.build("vgg6", 4, (32, 32, 3), width=0.25, rng=rng)
    weight = network.parameters()["stage4.conv.weight"]
    kernels = rng.random(weight.shape[:2]) < 0.2
    masks = {"stage4.conv.weight": np.repeat(kernels, 9).reshape(weight.shape)}
    dense, masked, compacted = map(
        prune.footprint_of, (network, prune.masked_network(network, masks), prune.compact(network, masks))
    )
    removed = 9 * int((~kernels).sum())
    assert masked.nonzero == dense.nonzero - removed
    for name in ("parameters", "multiply_adds", "array_bytes", "activation_bytes", "traffic_bytes"):
        assert getattr(masked, name) == getattr(dense, name), name
    assert compacted.parameters == dense.parameters - removed
    assert compacted.multiply_adds == dense.multiply_adds - removed * 8 * 8
