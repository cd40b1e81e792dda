import itertools

import numpy as np
import pytest

from deeptheory import nn, prune
from deeptheory.errors import InputError
from deeptheory.prune.criteria import random_afcc

K = 12


def context(density, seed=0, n_filters=60):
    rng = np.random.default_rng(seed)
    layers = {"conv": nn.Conv2d(1, n_filters, 1, rng=rng), "relu": nn.ReLU()}
    stages = [nn.Stage("stage1", layers, (2, 2, n_filters))]
    for m in (2, 3):
        layers = {"conv": nn.Conv2d(n_filters, n_filters, 1, rng=rng), "relu": nn.ReLU()}
        stages.append(nn.Stage(f"stage{m}", layers, (2, 2, n_filters)))
    head = {"flatten": nn.Flatten(), "linear": nn.Linear(4 * n_filters, K, rng=rng)}
    network = nn.Network(stages, nn.Stage("head", head, (K,)), (2, 2, 1))
    return prune.Context(
        prune.masked_layers(network, ["stage2", "stage3"], head=True),
        network.parameters(),
        {},
        0.5,
        np.random.default_rng(seed),
        density=density,
        network=network,
        inputs=(np.zeros((1, 2, 2, 1), np.uint8), np.zeros(1, int)),
    )


@pytest.mark.parametrize(("n_filters", "per_filter"), [(7, 3), (40, 1), (5, 11), (9, 12)])
def test_every_label_is_dealt_equally_often(n_filters, per_filter):
    dealt = random_afcc.deal(n_filters, per_filter, K, np.random.default_rng(0))
    assert (dealt.sum(axis=1) == per_filter).all()
    used = dealt.sum(axis=0)
    assert used.max() - used.min() <= 1
    assert set(np.unique(dealt)) <= {0.0, 1.0}


def test_dealt_labels_share_as_independent_ones_do():
    shared = [
        np.mean(
            random_afcc.deal(30, 3, K, np.random.default_rng(2 * seed))
            @ random_afcc.deal(30, 3, K, np.random.default_rng(2 * seed + 1)).T
            > 0
        )
        for seed in range(200)
    ]
    # of all sets of 3 labels, counted
    sets = [set(labels) for labels in itertools.combinations(range(K), 3)]
    exact = np.mean([bool(sets[0] & other) for other in sets])
    error = np.std(shared, ddof=1) / np.sqrt(len(shared))
    assert abs(np.mean(shared) - exact) < 4 * error
    assert error < 0.005


def test_the_number_of_labels_is_the_smallest_that_reaches_the_density():
    here = context(0.3)
    sizes = {layer.weight: layer.size for layer in here.layers}
    assert list(sizes.values()) == [3600, 3600, 2880]

    def expected(r):
        sets = [set(labels) for labels in itertools.combinations(range(K), r)]
        between = np.mean([bool(sets[0] & other) for other in sets])
        return (7200 * between + 2880 * r / K) / 10080

    for density in (0.05, 0.3, 0.5, 0.8):
        r = random_afcc.labels_per_filter(here.layers, K, density)
        assert expected(r) >= density
        assert r == 1 or expected(r - 1) < density
    assert random_afcc.labels_per_filter(here.layers, K, 1.0) == K


@pytest.mark.parametrize("density", [0.07, 0.3, 0.6])
def test_the_density_is_reached_exactly_by_kernels_that_share_a_label(density):
    here = context(density)
    arm = prune.prune_arm("random-afcc", here, density)
    assert arm.masks.total_density == pytest.approx(density, abs=4 / 10080)
    natural = sum(arm.scores[layer.weight].sum() * layer.kernel_size for layer in here.layers) / 10080
    for name, kept in arm.units.items():
        shared = arm.scores[name] == 1
        assert (kept <= shared).all() or natural < density
        assert (shared <= kept).all() or natural > density
    served = {name: score.sum() for name, score in arm.scores.items()}
    r = random_afcc.labels_per_filter(here.layers, K, density)
    assert served["head.linear.weight"] == 60 * r


def test_stages_have_one_set_of_labels_for_what_they_read_and_feed():
    here = context(0.3)
    found = prune.scores_for("random-afcc", here)
    rng, r = np.random.default_rng(0), random_afcc.labels_per_filter(here.layers, K, 0.3)
    labels = {stage: random_afcc.deal(60, r, K, rng) for stage in ("stage1", "stage2", "stage3")}
    assert (found["stage2.conv.weight"] == (labels["stage2"] @ labels["stage1"].T > 0)).all()
    assert (found["stage3.conv.weight"] == (labels["stage3"] @ labels["stage2"].T > 0)).all()
    assert (found["head.linear.weight"] == labels["stage3"].T).all()


def test_initial_weights_have_the_variance_of_the_surviving_fan_in():
    rng = np.random.default_rng(0)
    weight = (rng.normal(size=(4, 200, 3, 3)) * np.sqrt(2 / 1800)).astype(np.float32)
    mask = np.zeros(weight.shape, bool)
    for filter_, n_kept in enumerate((200, 50, 8, 0)):
        mask[filter_, :n_kept] = True
    found = prune.scaled_to_fan_in({"w": weight, "other": weight}, {"w": mask})
    assert set(found) == {"w"}
    assert found["w"].dtype == np.float32
    assert (found["w"][0] == weight[0]).all()
    np.testing.assert_allclose(found["w"][1], weight[1] * mask[1] * 2, rtol=1e-6)
    np.testing.assert_allclose(found["w"][2], weight[2] * mask[2] * 5, rtol=1e-6)
    assert (found["w"][3] == 0).all()


def test_a_density_is_needed():
    with pytest.raises(
        InputError, match=r"criterion 'random-afcc': expected a density, found none; set prune\.density"
    ):
        prune.scores_for("random-afcc", context(None))
