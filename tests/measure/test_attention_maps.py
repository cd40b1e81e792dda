"""Attention maps by label against the layer's own weights; heads are filters of their stage."""

import numpy as np
import pytest

from deeptheory import measure, nn
from deeptheory.data.augmentation import scale
from deeptheory.errors import InputError

RNG = np.random.default_rng(0)
NETWORK = nn.build("cct", 3, (8, 8, 3), 1 / 8, rng=RNG, blocks=1)
IMAGES, LABELS = RNG.integers(0, 256, (9, 8, 8, 3), np.uint8), np.arange(9) % 3


def test_maps_are_means_over_the_inputs_of_a_label(one_thread):
    maps = measure.attention_maps(NETWORK, IMAGES, LABELS, "heads1", quiet=True)
    assert maps.shape == (3, 4, 16, 16)
    np.testing.assert_allclose(maps.sum(axis=3), 1, rtol=1e-5)
    read = NETWORK.internals(scale(IMAGES), ["heads1.norm"])["heads1.norm"]
    own = NETWORK.stage("heads1").layers["attention"].maps(read)
    np.testing.assert_allclose(maps[1], own[LABELS == 1].mean(axis=0), rtol=1e-5)


def test_heads_are_filters(one_thread):
    probes = {"heads1": RNG.standard_normal((3, 4 * 16 * 8)).astype(np.float32)}
    found = measure.filter_statistics(NETWORK, IMAGES, LABELS, probes, quiet=True)["heads1"]
    assert found.means.shape == (3, 4, 16 * 8)
    z = NETWORK.internals(scale(IMAGES), ["heads1"])["heads1"].reshape(9, -1, 4)  # (N, T d, heads)
    weight = probes["heads1"].reshape(3, 4, -1)
    fields = np.einsum("kfp,npf->nk", weight, z)
    np.testing.assert_allclose(found.complete_fields, fields, rtol=1e-4, atol=1e-4)


def test_a_stage_without_heads_is_refused():
    with pytest.raises(InputError, match=r"stage: expected one with heads: heads1, found 'nodes1'"):
        measure.attention_maps(NETWORK, IMAGES, LABELS, "nodes1", quiet=True)
