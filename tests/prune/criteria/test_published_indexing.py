"""The mask of the published code, against loops, against the definition, and against chance."""

import dataclasses

import numpy as np
import pytest

from deeptheory import measure, prune
from deeptheory.errors import InputError
from deeptheory.prune.criteria.published_indexing import labels_by_index

NAME = "published-indexing"


def layers_of(n_filters, n_labels):
    one, two = n_filters
    return (
        prune.MaskedLayer("stage2.conv.weight", "stage1", "stage2", (two, one, 3, 3), one),
        prune.MaskedLayer("head.linear.weight", "stage2", "head", (n_labels, 4 * two), two),
    )


def context_of(fields, threshold=0.3, seed=0):
    """Context of two stages with these fields (C, K, K)."""
    n_labels = len(fields["stage1"][0])
    layers = layers_of([len(fields[stage]) for stage in ("stage1", "stage2")], n_labels)
    return prune.Context(
        layers,
        {layer.weight: np.ones(layer.shape, np.float32) for layer in layers},
        {stage: measure.label_strengths(of_stage) for stage, of_stage in fields.items()},
        threshold,
        np.random.default_rng(seed),
        clusters=lambda stage: measure.all_clusters(measure.clip(fields[stage], threshold)),
    )


def random_fields(rng, n_filters=(60, 80), n_labels=12):
    return {
        f"stage{number}": rng.standard_normal((n, n_labels, n_labels))
        for number, n in enumerate(n_filters, start=1)
    }


def test_filter_f_has_the_labels_of_the_f_th_cluster_of_the_stage():
    fields = random_fields(np.random.default_rng(1))
    arm = prune.prune_arm(NAME, context_of(fields))
    sets = {}
    for stage, of_stage in fields.items():
        flat = [
            cluster for matrix in measure.clip(of_stage, 0.3) for cluster in measure.find_clusters(matrix)
        ]
        assert len(flat) > len(of_stage)
        sets[stage] = [set(cluster) for cluster in flat[: len(of_stage)]]
    kernels, head = (arm.masks.kernels(layer.weight) for layer in arm.masks.layers)
    assert kernels.tolist() == [[bool(a & b) for a in sets["stage1"]] for b in sets["stage2"]]
    assert head.tolist() == [[label in served for served in sets["stage2"]] for label in range(12)]
    assert not any("list of clusters" in text for text in prune.warnings_of(arm.summary))
    assert [layer.natural_density for layer in arm.summary.layers] == [kernels.mean(), head.mean()]


def test_filters_beyond_the_end_of_the_list_serve_nothing_and_it_is_said():
    clusters = np.full((4, 3), -1, np.int32)
    clusters[1] = 0, 1, 0  # two clusters, of the labels 0 and 2, and of 1
    clusters[3, 1] = 0
    expected = [[1, 0, 1], [0, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert labels_by_index(clusters).tolist() == expected

    fields = random_fields(np.random.default_rng(2), (5, 6), 4)
    fields["stage2"][:] = -1.0  # serve nothing
    arm = prune.prune_arm(NAME, context_of(fields))
    assert arm.masks.total_density == 0
    text = "filters beyond the end of the list of clusters, which serve nothing: 6 of 6 in stage2"
    assert prune.warnings_of(arm.summary)[-1] == text


def test_with_one_cluster_in_every_filter_it_is_the_definition():
    rng, n_labels = np.random.default_rng(3), 9
    fields = {}
    for stage, n_filters in (("stage1", 30), ("stage2", 40)):
        fields[stage] = rng.uniform(0, 0.1, (n_filters, n_labels, n_labels))
        for field in fields[stage]:
            members = rng.permutation(n_labels)[: rng.integers(1, 4)]
            field[np.ix_(members, members)] = rng.uniform(0.5, 1.0, (len(members), len(members)))
        clipped = measure.clip(fields[stage], 0.3)
        assert {len(measure.find_clusters(matrix)) for matrix in clipped} == {1}
    arms = {name: prune.prune_arm(name, context_of(fields)) for name in ("afcc", NAME)}
    for name, mask in arms["afcc"].masks.items():
        assert 0 < mask.mean() < 1
        np.testing.assert_array_equal(arms[NAME].masks[name], mask)


def test_elsewhere_it_is_independent_of_the_definition():
    """Random fields: what both keep is the product of their densities, within three standard errors."""
    rng = np.random.default_rng(4)
    excess, kept = [], []
    for _ in range(60):
        context = context_of(random_fields(rng, (100, 120), 10))
        both = [prune.prune_arm(name, context).masks.kernels("stage2.conv.weight") for name in ("afcc", NAME)]
        excess.append(np.mean(both[0] & both[1]) - both[0].mean() * both[1].mean())
        kept.append([mask.mean() for mask in both])
    assert all(0.05 < density < 0.95 for density in np.mean(kept, axis=0))
    standard_error = np.std(excess, ddof=1) / np.sqrt(len(excess))
    assert standard_error < 0.0005  # one that kept a part of the other would have an excess of 0.07
    assert abs(np.mean(excess)) < 3 * standard_error


def test_it_has_one_density_and_says_how_the_others_take_it():
    context = context_of(random_fields(np.random.default_rng(5)))
    own = prune.prune_arm(NAME, context)
    assert prune.prune_arm(NAME, context, own.n_kept).n_kept == own.n_kept
    afcc = prune.prune_arm("afcc", context)
    text = (
        r"density of 'published-indexing': expected 0\.\d+, the only one that it has at threshold 0.3, found "
    )
    for target, found in ((0.5, "0.5"), (afcc.n_kept, "others for its layers")):
        with pytest.raises(prune.DensityNotReached, match=text + found) as refused:
            prune.prune_arm(NAME, context, target)
        assert "prune.density_from = 'published-indexing'" in str(refused.value)


def test_without_clusters_or_with_those_of_another_stage_it_is_refused():
    context = context_of(random_fields(np.random.default_rng(6)))
    with pytest.raises(
        InputError, match="criterion 'published-indexing': expected the clusters of the filters"
    ):
        prune.scores_for(NAME, dataclasses.replace(context, clusters=None))
    others = dataclasses.replace(context, clusters=lambda stage: np.zeros((7, 12), np.int32))
    with pytest.raises(
        InputError, match=r"clusters of 'stage1': expected shape \(60, K\), found shape \(7, 12\)"
    ):
        prune.scores_for(NAME, others)


def test_all_other_arms_take_its_density_layer_by_layer():
    context = context_of(random_fields(np.random.default_rng(7)))
    names = ("afcc", "random", "label-permuted", "magnitude", "lamp", NAME)
    streams = {name: np.random.default_rng(number) for number, name in enumerate(names)}
    arms = prune.prune_arms(context, streams, density_from=NAME)
    given = arms[NAME]
    assert given.n_kept == prune.prune_arm(NAME, context).n_kept
    for name in set(names) - {"lamp"}:
        assert arms[name].masks.densities() == given.masks.densities(), name
    assert arms["lamp"].masks.total_density == pytest.approx(given.masks.total_density, abs=0.01)
    assert arms["lamp"].masks.densities() != given.masks.densities()
    natural = [layer.natural_density for layer in arms["afcc"].summary.layers]
    assert natural == list(prune.prune_arm("afcc", context).masks.densities().values())
    kept, scores = arms["afcc"].units["stage2.conv.weight"], arms["afcc"].scores["stage2.conv.weight"]
    assert scores[kept].min() >= scores[~kept].max()  # the best of the definition
