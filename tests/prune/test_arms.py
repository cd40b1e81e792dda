import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.prune import Context, MaskedLayer, cost_of, keep_largest, masks_for, prune_arm, warnings_of

N_LABELS = 6
STAGE = MaskedLayer("stage2.conv.weight", "stage1", "stage2", (7, 5, 3, 3), 5)
HEAD = MaskedLayer("head.linear.weight", "stage2", "head", (N_LABELS, 7 * 4), 7)


def context(seed=0, threshold=0.5, strengths=None):
    rng = np.random.default_rng(seed)
    if strengths is None:
        strengths = {"stage1": rng.uniform(size=(5, N_LABELS)), "stage2": rng.uniform(size=(7, N_LABELS))}
    weights = {layer.weight: rng.normal(size=layer.shape).astype(np.float32) for layer in (STAGE, HEAD)}
    return Context((STAGE, HEAD), weights, strengths, threshold, rng)


@pytest.mark.parametrize("criterion", ["random", "label-permuted", "magnitude", "lamp"])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
def test_controls_have_exactly_the_density_of_afcc(criterion, threshold):
    here = context(threshold=threshold)
    afcc = prune_arm("afcc", here)
    control = masks_for(criterion, here, afcc.n_kept)
    assert control.kept() == afcc.masks.kept()
    assert control.densities() == afcc.masks.densities()
    assert any((control[name] != afcc.masks[name]).any() for name in control)


def test_magnitude_keeps_the_largest_kernels():
    here = context()
    control = masks_for("magnitude", here, {STAGE.weight: 4, HEAD.weight: 1})
    norms = np.linalg.norm(here.weights[STAGE.weight].astype(float), axis=(2, 3))
    kept = control.kernels(STAGE.weight)
    assert kept.sum() == 4
    assert norms[kept].min() > norms[~kept].max()


def test_ties_are_broken_at_random_and_exactly():
    scores = np.array([[2.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    kept = np.array([keep_largest(scores, 3, np.random.default_rng(seed)) for seed in range(400)])
    assert (kept.sum(axis=(1, 2)) == 3).all()
    assert kept[:, 0, 0].all()
    assert not kept[:, 1, 2].any()
    # each of the four ties stays in half of the draws: standard error 0.025
    assert (np.abs(kept.mean(axis=0)[scores == 1] - 0.5) < 0.1).all()


def test_natural_density_of_label_permuted_is_its_own():
    here = context()
    afcc = prune_arm("afcc", here)
    arm = prune_arm("label-permuted", here, afcc.n_kept)
    for layer in arm.summary.layers:
        assert layer.natural_density == (arm.scores[layer.weight] > 0.5).mean()
    assert arm.summary.layers[0].natural_density != arm.summary.layers[0].density
    # the head's labels are permuted within each filter, so the sizes of the label sets stay
    assert arm.summary.layers[1].natural_density == afcc.summary.layers[1].density
    assert prune_arm("random", here, afcc.n_kept).summary.layers[0].natural_density is None


def test_label_permuted_alone_is_cut_at_the_threshold():
    arm = prune_arm("label-permuted", context())
    assert all(layer.density == layer.natural_density for layer in arm.summary.layers)


def test_a_control_needs_the_number_to_keep():
    with pytest.raises(
        InputError, match="criterion 'magnitude': expected a density or the number to keep in each layer"
    ):
        masks_for("magnitude", context())
    with pytest.raises(
        InputError, match=r"kernels to keep: expected a number for each of .* found stage2.conv.weight"
    ):
        masks_for("random", context(), {STAGE.weight: 3})
    with pytest.raises(InputError, match="number to keep: expected 0 to 35, found 36"):
        masks_for("random", context(), {STAGE.weight: 36, HEAD.weight: 3})


def test_nothing_pruned_is_an_error_with_the_threshold():
    strengths = {"stage1": np.full((5, N_LABELS), 0.9), "stage2": np.full((7, N_LABELS), 0.75)}
    text = (
        r"masks by afcc at threshold 0\.5: expected at least one weight removed, found all 483 weights of 2 "
        r"layers kept: nothing was pruned; raise prune\.threshold to 0\.75 or above"
    )
    with pytest.raises(InputError, match=text):
        prune_arm("afcc", context(strengths=strengths))
    assert prune_arm("afcc", context(threshold=0.75, strengths=strengths)).summary.dilution == 1
    with pytest.raises(InputError, match="nothing was pruned; ask for a lower density"):
        masks_for("random", context(), {STAGE.weight: 35, HEAD.weight: 42})


def test_report_counts_what_was_lost():
    one = np.zeros((5, N_LABELS))
    one[:4, 0] = 1  # filter 4 of stage 1 serves nothing
    two = np.zeros((7, N_LABELS))
    two[:3, 0] = two[3:6, 1] = 1  # filters 3..5 share no label with stage 1, filter 6 serves nothing
    summary = prune_arm("afcc", context(strengths={"stage1": one, "stage2": two})).summary
    stage, head = summary.layers
    assert (stage.kernels_kept, stage.kernels_total, stage.outputs_without_input) == (12, 35, 4)
    assert (stage.inputs_without_label, head.inputs_without_label) == (1, 1)
    assert (head.kernels_kept, head.kernels_total, head.outputs_without_input) == (6, 42, 4)
    assert stage.density == 12 / 35
    assert stage.dilution == pytest.approx(23 / 35)
    assert (stage.weights_kept, stage.weights_total) == (12 * 9, 35 * 9)
    assert summary.density == (12 * 9 + 6 * 4) / (35 * 9 + 42 * 4)
    assert warnings_of(summary) == [
        "outputs lost all their inputs and give a constant: 4 of 7 in stage2.conv, 4 of 6 in head.linear",
        "input filters serve no label at threshold 0.5: 1 of 5 in stage2.conv, 1 of 7 in head.linear",
    ]


def test_warnings_of_a_layer_left_whole_and_of_one_removed():
    strengths = {"stage1": np.full((5, N_LABELS), 0.9), "stage2": np.full((7, N_LABELS), 0.9)}
    summary = prune_arm("random", context(strengths=strengths), {STAGE.weight: 35, HEAD.weight: 0}).summary
    assert warnings_of(summary) == [
        "nothing was pruned in stage2.conv",
        "no kernel is left, so no signal passes (lower the threshold), in head.linear",
    ]


def test_cost_counts_kept_weights_and_everything_unmasked():
    shapes = {"stage1.conv.weight": (5, 1, 3, 3), "stage2.norm.scale": (7,)}
    shapes |= {layer.weight: layer.shape for layer in (STAGE, HEAD)}
    multiply_adds = {"stage1.conv": 45 * 16, "stage2.conv": 315 * 16, "head.linear": 168}
    masks = masks_for("random", context(), {STAGE.weight: 7, HEAD.weight: 21})
    cost = cost_of(shapes, multiply_adds, masks)
    assert cost.parameters == 45 + 7 + 315 + 168
    assert cost.parameters_left == 45 + 7 + 7 * 9 + 21 * 4
    assert cost.multiply_adds_left == 45 * 16 + 7 * 9 * 16 + 84
    assert cost.multiply_adds_share == cost.multiply_adds_left / sum(multiply_adds.values())
    assert cost_of(shapes, multiply_adds).parameters_share == 1
    with pytest.raises(
        InputError, match=r"masked weight 'stage2.conv.weight': expected a layer of this network"
    ):
        cost_of(shapes, {"stage1.conv": 720}, masks)
