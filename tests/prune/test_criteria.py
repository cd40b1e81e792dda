import dataclasses
from math import comb

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.measure import label_strengths
from deeptheory.measure.fields import clip
from deeptheory.prune import Context, MaskedLayer, head_scores, kernel_scores, scores_for
from deeptheory.prune.criteria.snr_overlap import removal_densities
from deeptheory.theory import budget_order, removal_paths

STAGE = MaskedLayer("stage2.conv.weight", "stage1", "stage2", (2, 3, 1, 2), 3)
HEAD = MaskedLayer("head.linear.weight", "stage2", "head", (4, 4), 2)


def context(rng, threshold=0.5, n_labels=4):
    strengths = {"stage1": rng.uniform(-1, 1, (3, n_labels)), "stage2": rng.uniform(-1, 1, (2, n_labels))}
    weights = {layer.weight: rng.normal(size=layer.shape) for layer in (STAGE, HEAD)}
    return Context((STAGE, HEAD), weights, strengths, threshold, rng)


def test_strengths_are_the_diagonal_over_the_largest_element():
    fields = np.array([[[2.0, 4.0], [0.0, -1.0]], [[-3.0, -1.0], [-2.0, -4.0]]])
    assert label_strengths(fields).tolist() == [[0.5, -0.25], [0.0, 0.0]]


def test_strengths_refuse_fields_that_are_not_finite():
    fields = np.ones((3, 2, 2))
    fields[1, 0, 1] = np.nan
    with pytest.raises(InputError, match="fields: expected finite numbers, found 1 filters with NaN"):
        label_strengths(fields)


def test_kernel_scores_by_hand():
    strength_in = np.array([[1.0, 0.2, 0.0], [0.4, 0.6, 0.1]])
    strength_out = np.array([[0.3, 0.5, 1.0]])
    # filter 0: max(min(1, .3), min(.2, .5), min(0, 1)) = .3; filter 1: max(.3, .5, .1) = .5
    assert kernel_scores(strength_in, strength_out).tolist() == [[0.3, 0.5]]


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.9])
def test_score_above_threshold_means_a_shared_label(threshold):
    rng = np.random.default_rng(1)
    strength_in, strength_out = rng.uniform(-1, 1, (13, 6)), rng.uniform(-1, 1, (9, 6))
    served_in = [{i for i in range(6) if row[i] > threshold} for row in strength_in]
    served_out = [{i for i in range(6) if row[i] > threshold} for row in strength_out]
    shared = [[bool(a & b) for a in served_in] for b in served_out]
    assert (kernel_scores(strength_in, strength_out) > threshold).tolist() == shared
    head = [[j in served for served in served_in] for j in range(6)]
    assert (head_scores(strength_in) > threshold).tolist() == head


@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_strengths_serve_the_labels_of_the_clipped_fields(threshold):
    fields = np.random.default_rng(3).normal(size=(40, 7, 7))
    fields[0] = -np.abs(fields[0])
    served = np.diagonal(clip(fields, threshold), axis1=1, axis2=2)
    assert ((label_strengths(fields) > threshold) == served).all()
    assert served.any()


def test_threshold_itself_is_not_served():
    assert not (kernel_scores(np.array([[0.5]]), np.array([[1.0]])) > 0.5).any()


def test_afcc_scores_use_the_stage_before_and_the_stage_after():
    here = context(np.random.default_rng(2))
    scores = scores_for("afcc", here)
    one, two = here.strengths["stage1"], here.strengths["stage2"]
    for b in range(2):
        for a in range(3):
            assert scores[STAGE.weight][b, a] == max(min(one[a, i], two[b, i]) for i in range(4))
    assert (scores[HEAD.weight] == two.T).all()


def test_magnitude_is_the_norm_of_the_kernel():
    layers = (STAGE, HEAD)
    weights = {
        STAGE.weight: np.array([[3, 4], [0, 0], [1, 0], [0, -2], [6, -8], [5, 12]], np.float32).reshape(
            2, 3, 1, 2
        ),
        # head (K, C*P), filter-major, P = 2: the first two columns belong to filter 0
        HEAD.weight: np.array([[3, 4, 0, 1], [0, 0, -3, 4], [8, 6, 0, 0], [1, 0, 0, 2]], np.float32),
    }
    strengths = {"stage1": np.zeros((3, 4)), "stage2": np.zeros((2, 4))}
    scores = scores_for("magnitude", Context(layers, weights, strengths, 0.5, np.random.default_rng(0)))
    assert scores[STAGE.weight].tolist() == [[5, 0, 1], [2, 10, 13]]
    assert scores[HEAD.weight].tolist() == [[5, 1], [0, 5], [10, 0], [1, 2]]
    assert scores[HEAD.weight].dtype == np.float64


def test_random_scores_are_replayed_by_the_seed_and_spread_evenly():
    layer = MaskedLayer("stage2.conv.weight", "stage1", "stage2", (50, 80, 3, 3), 80)

    def draw(seed):
        strengths = {"stage1": np.zeros((80, 2)), "stage2": np.zeros((50, 2))}
        weights = {layer.weight: np.zeros(layer.shape)}
        return scores_for("random", Context((layer,), weights, strengths, 0.5, np.random.default_rng(seed)))

    first, again, other = (draw(seed)[layer.weight] for seed in (3, 3, 4))
    assert (first == again).all()
    assert not (first == other).any()
    # mean of 4000 uniform numbers: standard error 0.0046; four of them
    assert abs(first.mean() - 0.5) < 4 * np.sqrt(1 / 12 / first.size)


def test_label_permuted_keeps_sizes_and_one_permutation_per_filter():
    n_labels, n_filters = 30, 12
    # every strength of a filter is unique, so its scores betray which labels were matched
    strengths = {f"stage{m}": np.random.default_rng(m).uniform(size=(n_filters, n_labels)) for m in (1, 2, 3)}
    square = (n_filters, n_filters, 1, 1)
    layers = (
        MaskedLayer("stage2.conv.weight", "stage1", "stage2", square, n_filters),
        MaskedLayer("stage3.conv.weight", "stage2", "stage3", square, n_filters),
        MaskedLayer("head.linear.weight", "stage3", "head", (n_labels, n_filters), n_filters),
    )
    weights = {layer.weight: np.zeros(layer.shape) for layer in layers}
    scores = scores_for("label-permuted", Context(layers, weights, strengths, 0.5, np.random.default_rng(9)))
    permuted = scores["head.linear.weight"].T  # the head shows the permuted strengths of stage 3 themselves
    assert (np.sort(permuted, axis=1) == np.sort(strengths["stage3"], axis=1)).all()
    order = np.argsort(permuted, axis=1) != np.argsort(strengths["stage3"], axis=1)
    assert order.mean() > 0.9
    assert not (order[0] == order[1:]).all()
    # the one permuted stage 3 that the head shows is also the one that its own input layer sees
    rng = np.random.default_rng(9)
    replayed = {f"stage{m}": rng.permuted(strengths[f"stage{m}"], axis=1) for m in (1, 2, 3)}
    assert (replayed["stage3"] == permuted).all()
    for m in (2, 3):
        expected = kernel_scores(replayed[f"stage{m - 1}"], replayed[f"stage{m}"])
        assert (scores[f"stage{m}.conv.weight"] == expected).all()


def test_label_permuted_dilution_is_that_of_independent_label_sets():
    n_labels, served, n_filters = 20, 3, 120
    # structure: filters in three groups of nearly the same labels, so AFCC itself is far from the null
    strength = np.zeros((n_filters, n_labels))
    for f in range(n_filters):
        strength[f, [(f // 40 + i) % n_labels for i in range(served)]] = 1
    layer = MaskedLayer("stage2.conv.weight", "stage1", "stage2", (n_filters, n_filters, 1, 1), n_filters)
    here = Context(
        (layer,),
        {layer.weight: np.zeros(layer.shape)},
        {"stage1": strength, "stage2": strength},
        0.5,
        np.random.default_rng(0),
    )
    null = comb(n_labels - served, served) / comb(n_labels, served)
    dilutions = [1 - (scores_for("label-permuted", here)[layer.weight] > 0.5).mean() for _ in range(40)]
    error = np.std(dilutions, ddof=1) / np.sqrt(len(dilutions))
    assert abs(np.mean(dilutions) - null) < 4 * error
    assert error < 0.003
    assert 1 - (scores_for("afcc", here)[layer.weight] > 0.5).mean() < null - 0.1


def test_misspelt_criterion_suggests_the_nearest():
    with pytest.raises(InputError, match="found 'magnitud'; did you mean 'magnitude'"):
        scores_for("magnitud", context(np.random.default_rng(0)))


def test_scores_that_are_not_finite_are_refused():
    here = context(np.random.default_rng(0))
    here.weights[STAGE.weight][0, 0] = np.nan
    with pytest.raises(
        InputError, match=r"scores of 'stage2.conv.weight' by magnitude: .* found 1 that are not"
    ):
        scores_for("magnitude", here)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"threshold": 1.0}, r"threshold: expected a number within \(0, 1\), found 1.0"),
        ({"layers": ()}, "layers to be masked: expected at least one, found none"),
        ({"weights": {}}, "weight 'stage2.conv.weight': expected an array, found none"),
        (
            {"weights": {STAGE.weight: np.zeros((2, 3)), HEAD.weight: np.zeros((4, 4))}},
            r"weight 'stage2.conv.weight': expected shape \(2, 3, 1, 2\), found shape \(2, 3\)",
        ),
        (
            {"strengths": {"stage1": np.zeros((5, 4)), "stage2": np.zeros((2, 4))}},
            r"strengths of 'stage1': expected shape \(3, K\), found shape \(5, 4\)",
        ),
        (
            {"strengths": {"stage1": np.zeros((3, 4)), "stage2": np.zeros((2, 5))}},
            r"strengths: expected the same number of labels in every stage, found \[4, 5\]",
        ),
        (
            {"strengths": {"stage1": np.zeros((3, 7)), "stage2": np.zeros((2, 7))}},
            r"weight 'head.linear.weight': expected one output per label \(7\), found 4 outputs",
        ),
    ],
)
def test_context_refuses_what_does_not_fit(change, text):
    good = context(np.random.default_rng(0))
    fields = {name: getattr(good, name) for name in ("layers", "weights", "strengths", "threshold", "rng")}
    with pytest.raises(InputError, match=text):
        Context(**(fields | change))


def test_a_stage_that_was_not_measured_is_named():
    here = context(np.random.default_rng(0))
    here = dataclasses.replace(here, strengths={"stage2": here.strengths["stage2"]})
    text = (
        "strengths of 'stage1': expected those of every stage asked for, found stage2; measure 'stage1' first"
    )
    for criterion in ("afcc", "label-permuted"):
        with pytest.raises(InputError, match=text):
            scores_for(criterion, here)


def test_a_criterion_refuses_a_granularity_it_cannot_act_on():
    here = dataclasses.replace(context(np.random.default_rng(0)), granularity="weight")
    with pytest.raises(
        InputError, match="criterion 'afcc': expected granularity kernel or filter, found weight"
    ):
        scores_for("afcc", here)


def test_the_head_alone_has_no_filters():
    here = context(np.random.default_rng(0))
    with pytest.raises(InputError, match="layers to be masked by filters: expected a stage among them"):
        dataclasses.replace(here, layers=(HEAD,), granularity="filter")


def test_lamp_by_hand():
    weights = {
        STAGE.weight: np.array([[1, 0], [0, 2], [3, 0], [0, 4], [0, 0], [5, 0]], float).reshape(2, 3, 1, 2),
        HEAD.weight: np.array([[1, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], float),
    }
    here = dataclasses.replace(context(np.random.default_rng(0)), weights=weights)
    scores = scores_for("lamp", here)
    # squared norms 1, 4, 9 / 16, 0, 25: each over the sum of itself and the larger ones
    assert scores[STAGE.weight] == pytest.approx(np.array([[1 / 55, 4 / 54, 9 / 50], [16 / 41, 0, 1]]))
    # of equal ones the later counts as larger
    assert sorted(scores[HEAD.weight].ravel())[-4:] == pytest.approx([0, 1 / 3, 1 / 2, 1])
    assert scores_for("lamp", dataclasses.replace(here, granularity="filter"))[STAGE.weight] == pytest.approx(
        [14 / 55, 1]
    )


def test_magnitudes_of_weights_and_filters():
    here = context(np.random.default_rng(0))
    weight = here.weights[STAGE.weight]
    of_weights = scores_for("magnitude", dataclasses.replace(here, granularity="weight"))
    assert of_weights[STAGE.weight] == pytest.approx(np.abs(weight))
    assert of_weights[HEAD.weight].shape == HEAD.shape
    of_filters = scores_for("magnitude", dataclasses.replace(here, granularity="filter"))
    assert set(of_filters) == {STAGE.weight}
    assert of_filters[STAGE.weight] == pytest.approx(np.linalg.norm(weight.reshape(2, -1), axis=1))


def context_with_order():
    moments = [np.eye(6), np.eye(4)]
    here = context(np.random.default_rng(0))
    flat = [here.weights[layer.weight].reshape(layer.grid[0], -1) for layer in (STAGE, HEAD)]
    paths = [
        removal_paths(moment, weights, layer.n_inputs)
        for moment, weights, layer in zip(moments, flat, (STAGE, HEAD), strict=True)
    ]
    squares = [np.ones((layer.grid[0], 4, 4)) for layer in (STAGE, HEAD)]
    order = budget_order(paths, squares, np.ones((4, 4)), np.ones((4, 4)))
    return dataclasses.replace(here, order=lambda: order), order


def test_snr_budget_scores_are_places_in_its_order():
    here, order = context_with_order()
    scores = scores_for("snr-budget", here)
    every = np.concatenate([score.ravel() for score in scores.values()])
    # every filter keeps one; the others are all different, the first to go the smallest
    assert (every == 1).sum() == 2 + 4
    assert sorted(every[every < 1]) == pytest.approx(np.arange(4 + 4) / 8)
    first = (STAGE, HEAD)[order.layer[0]].weight
    assert scores[first][order.filter[0], order.input[0]] == 0
    with pytest.raises(
        InputError, match="criterion 'snr-budget': expected the order of the SNR budget, found none"
    ):
        scores_for("snr-budget", dataclasses.replace(here, order=None))


def test_removal_densities_by_hand():
    scores = {
        STAGE.weight: np.array([[6.0, 1, 5], [2, 2, 9]]),
        HEAD.weight: np.arange(8.0).reshape(4, 2) + 10,
    }
    found = removal_densities((STAGE, HEAD), scores)
    # 12 weights in kernels of 2, 16 in kernels of 2: the head stays longest, 8 kernels of 14 left before it goes
    assert found[HEAD.weight].ravel() == pytest.approx(np.arange(8, 0, -1) / 14)
    assert found[STAGE.weight] == pytest.approx(np.array([[10, 14, 11], [12, 13, 9]]) / 14)


def test_snr_overlap_is_the_geometric_mean_of_two_orders():
    here, _ = context_with_order()
    densities = [
        removal_densities((STAGE, HEAD), scores_for(criterion, here)) for criterion in ("snr-budget", "lamp")
    ]
    found = scores_for("snr-overlap", here)
    for name, score in found.items():
        assert np.exp(-score) == pytest.approx(densities[0][name] * densities[1][name])
