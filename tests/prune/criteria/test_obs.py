import numpy as np
import pytest

from deeptheory import prune
from deeptheory.data.augmentation import scale
from deeptheory.prune import apply_masks
from deeptheory.prune.criteria import obs


def patches_of(context, layer):
    """Patches (in, kh, kw) that the layer reads, cut out one by one, and the outputs of its filters."""
    x = scale(context.inputs[0])
    if layer.stage_out == "head":
        rows = context.network.internals(x, ["stage2"])["stage2"].transpose(0, 3, 1, 2).reshape(len(x), -1)
    else:
        read = context.network.internals(x, ["stage1"])["stage1"]
        padded = np.pad(read, ((0, 0), (1, 1), (1, 1), (0, 0)))
        places = [(i, j) for i in range(4) for j in range(4)]
        rows = [image[i : i + 3, j : j + 3].transpose(2, 0, 1).ravel() for image in padded for i, j in places]
    weight = context.weights[layer.weight]
    rows = np.array(rows)
    return rows, rows @ weight.reshape(len(weight), -1).T


def moment_of(context, layer):
    """With the ridge; about the mean where a batch norm takes it."""
    rows, _ = patches_of(context, layer)
    if layer.stage_out != "head":
        rows = rows - rows.mean(axis=0)
    moment = rows.T @ rows / len(rows)
    return moment + 1e-4 * np.trace(moment) / len(moment) * np.eye(len(moment))


def error_without(moment, weights, gone):
    """Smallest (w - u) G (w - u) with u zero where `gone`, by least squares."""
    root = np.linalg.cholesky(moment).T
    left = ~gone
    u = np.zeros(len(weights))
    u[left] = np.linalg.lstsq(root[:, left], root @ weights, rcond=None)[0]
    return np.sum((root @ (weights - u)) ** 2)


def costs_by_hand(moment, weights, n_inputs, order=None):
    """Remove one input after the other, greedily or in the order given; the largest rise so far for each."""
    size, gone, before, worst = len(weights) // n_inputs, np.zeros(len(weights), bool), 0.0, 0.0
    costs = np.zeros(n_inputs)

    def error(q):
        without = gone.copy()
        without[q * size : (q + 1) * size] = True
        return error_without(moment, weights, without)

    left = list(range(n_inputs))
    for turn in range(n_inputs):
        q = min(left, key=error) if order is None else order[turn]
        worst = max(worst, error(q) - before)
        costs[q], before = worst, error(q)
        gone[q * size : (q + 1) * size] = True
        left.remove(q)
    return costs / (weights @ moment @ weights)


@pytest.mark.parametrize("granularity", ["weight", "kernel"])
@pytest.mark.parametrize("greedy", [True, False])
def test_scores_are_rises_of_the_error_by_least_squares(tiny_context, monkeypatch, granularity, greedy):
    if not greedy:
        monkeypatch.setattr(obs, "GREEDY_WORK", 0)
    here = tiny_context(granularity)
    found = prune.scores_for("obs", here)
    for layer in here.layers:
        moment = moment_of(here, layer)
        weights = here.weights[layer.weight].reshape(layer.shape[0], -1)
        n_inputs = weights.shape[1] if granularity == "weight" else layer.n_inputs
        size = weights.shape[1] // n_inputs
        for score, filter_ in zip(found[layer.weight].reshape(len(weights), -1), weights, strict=True):
            groups = filter_.reshape(n_inputs, size)
            blocks = [moment[q * size : (q + 1) * size, q * size : (q + 1) * size] for q in range(n_inputs)]
            alone = [group @ block @ group for group, block in zip(groups, blocks, strict=True)]
            expected = costs_by_hand(moment, filter_, n_inputs, None if greedy else np.argsort(alone))
            np.testing.assert_allclose(score, expected / len(weights) / size, rtol=1e-4, atol=1e-7)


def test_the_first_weight_to_go_has_the_saliency_of_the_optimal_brain_surgeon(tiny_context):
    here = tiny_context()
    found = prune.scores_for("obs", here)
    for layer in here.layers:
        inverse = np.diag(np.linalg.inv(moment_of(here, layer)))
        weights = here.weights[layer.weight].reshape(layer.shape[0], -1)
        saliency = weights**2 / (2 * inverse)
        relative = saliency / np.sum(weights @ moment_of(here, layer) * weights / 2, axis=1, keepdims=True)
        scores = found[layer.weight].reshape(weights.shape) * len(weights)
        np.testing.assert_allclose(scores.min(axis=1), relative.min(axis=1), rtol=1e-4)
        assert (scores.argmin(axis=1) == relative.argmin(axis=1)).all()


@pytest.mark.parametrize("granularity", ["weight", "kernel"])
def test_the_update_is_the_least_squares_fit_of_what_is_left(tiny_context, granularity):
    here = tiny_context(granularity)
    arm = prune.prune_arm("obs", here, 0.5)
    shift = here.network.buffers()["stage2.norm.running_mean"]
    assert set(arm.update) == {*arm.masks, "stage2.norm.running_mean"}
    for layer in here.layers:
        rows, outputs = patches_of(here, layer)
        updated = arm.update[layer.weight].reshape(layer.shape[0], -1)
        kept = arm.masks[layer.weight].reshape(updated.shape)
        assert (updated[~kept] == 0).all()
        moment, weights = moment_of(here, layer), here.weights[layer.weight].reshape(updated.shape)
        for u, w, mask in zip(updated, weights, kept, strict=True):
            error = (w - u) @ moment @ (w - u)
            assert error == pytest.approx(error_without(moment, w, ~mask), rel=1e-3, abs=1e-9)
        if layer.stage_out == "stage2":
            lost = outputs.mean(axis=0) - (rows @ updated.T).mean(axis=0)
            np.testing.assert_allclose(arm.update["stage2.norm.running_mean"], shift - lost, atol=1e-5)


def test_what_a_copy_carries_goes_first_and_the_update_restores_it(tiny_context):
    here = tiny_context("kernel")
    network = here.network
    for name in [*network.parameters(), *network.buffers()]:
        if name.startswith("stage1"):
            named = network.parameters() if name in network.parameters() else network.buffers()
            named[name] = named[name][[0, 0, 2]]
    here = tiny_context("kernel", network=network)
    scores = prune.scores_for("obs", here)["stage2.conv.weight"]
    assert (scores[:, :2].min(axis=1) < 1e-4).all()
    assert (scores[:, 2] > 1e-3).all()
    kernels = {"stage2.conv.weight": np.ones((4, 3), bool), "head.linear.weight": np.ones((3, 4), bool)}
    kernels["stage2.conv.weight"][np.arange(4), scores[:, :2].argmin(axis=1)] = False
    masks = prune.Masks(here.layers, kernels)
    x = scale(here.inputs[0])
    intact, spread = network.infer(x), np.std(network.infer(x))
    changed = obs.update(here, masks)
    assert set(changed) == {"stage2.conv.weight", "stage2.norm.running_mean"}
    apply_masks(network, masks)
    assert np.abs(network.infer(x) - intact).max() > 0.1 * spread
    network.load_state(network.state() | changed)
    np.testing.assert_allclose(network.infer(x), intact, atol=2e-3 * spread)


def test_a_filter_that_keeps_nothing_is_zero(tiny_context):
    here = tiny_context("kernel")
    kernels = {"stage2.conv.weight": np.ones((4, 3), bool), "head.linear.weight": np.ones((3, 4), bool)}
    kernels["stage2.conv.weight"][1] = False
    changed = obs.update(here, prune.Masks(here.layers, kernels))["stage2.conv.weight"]
    assert (changed[1] == 0).all()
    np.testing.assert_allclose(changed[0], here.weights["stage2.conv.weight"][0], atol=1e-12)
