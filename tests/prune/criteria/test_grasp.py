import numpy as np
import pytest

from deeptheory import prune
from deeptheory.prune.gradients import mean_gradients


def gradient(context, flat):
    """Gradient at the weights given, all masked layers in one vector."""
    names, start = [layer.weight for layer in context.layers], 0
    before = context.network.state()
    for layer in context.layers:
        context.network.parameters()[layer.weight] = flat[start : start + layer.size].reshape(layer.shape)
        start += layer.size
    found = mean_gradients(*context.running(), names)
    context.network.load_state(before)
    return np.concatenate([found[name].ravel() for name in names])


def weights_of(context):
    return np.concatenate([context.weights[layer.weight].ravel() for layer in context.layers])


def hessian(context, step=1e-5):
    weights = weights_of(context)
    rows = []
    for place in range(len(weights)):
        moved = np.zeros(len(weights))
        moved[place] = step
        rows.append((gradient(context, weights + moved) - gradient(context, weights - moved)) / (2 * step))
    return np.array(rows)


def test_scores_are_those_of_the_explicit_hessian(tiny_context, per_unit):
    here = tiny_context()
    curvature, weights = hessian(here), weights_of(here)
    np.testing.assert_allclose(curvature, curvature.T, rtol=0, atol=1e-6 * np.abs(curvature).max())
    products = weights * (curvature @ gradient(here, weights))
    for granularity in ("weight", "kernel", "filter"):
        check_scores(tiny_context(granularity), products, per_unit)


def check_scores(here, products, per_unit):
    found, granularity, start = prune.scores_for("grasp", here), here.granularity, 0
    for layer in here.layers:
        values = products[start : start + layer.size].reshape(layer.shape)
        start += layer.size
        if layer in here.units:
            expected = per_unit(layer, values, granularity)
            np.testing.assert_allclose(
                found[layer.weight], expected, rtol=0, atol=1e-3 * np.abs(products).max()
            )
            assert np.ptp(expected) > 0.01 * np.abs(products).max()


def test_what_is_kept_is_what_the_gradient_flow_falls_without(tiny_context):
    here = tiny_context()
    weights, step = weights_of(here), 1e-4
    found = np.concatenate([score.ravel() for score in prune.scores_for("grasp", here).values()])

    def flow(place):
        fewer = weights.copy()
        fewer[place] *= 1 - step  # a step towards its removal
        return np.sum(gradient(here, fewer) ** 2)

    intact = np.sum(gradient(here, weights) ** 2)
    for place in (found.argmax(), found.argmin()):
        assert (intact - flow(place)) / step == pytest.approx(2 * found[place], rel=0.01)
    assert flow(found.argmax()) < intact < flow(found.argmin())


def test_weights_without_any_gradient_score_nothing(tiny_context):
    here = tiny_context()
    for name in ("stage2.norm.weight", "stage2.norm.bias"):
        here.network.parameters()[name] = here.network.parameters()[name] * 0
    here.network.parameters()["head.linear.weight"] = here.weights["head.linear.weight"] * 0
    # the head reads zeros, and the stage is not read
    assert all((score == 0).all() for score in prune.scores_for("grasp", here).values())


def test_the_network_is_left_as_it_was(tiny_context):
    here = tiny_context()
    before = here.network.state()
    prune.scores_for("grasp", here)
    assert all((array == before[name]).all() for name, array in here.network.state().items())
