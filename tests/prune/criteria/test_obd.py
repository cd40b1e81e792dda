import numpy as np
import pytest

from deeptheory import prune
from deeptheory.prune.gauss_newton import gauss_newton_diagonal


@pytest.mark.parametrize("granularity", ["weight", "kernel", "filter"])
def test_scores_are_half_the_curvature_times_the_square_of_the_weights(tiny_context, per_unit, granularity):
    here = tiny_context(granularity)
    found = prune.scores_for("obd", here)
    names = [layer.name for layer in here.units]
    curvatures = gauss_newton_diagonal(here.network, here.inputs[0], names, np.random.default_rng(2))
    for layer in here.units:
        values = 0.5 * curvatures[layer.name] * here.weights[layer.weight] ** 2
        np.testing.assert_allclose(found[layer.weight], per_unit(layer, values, granularity), rtol=1e-12)


def test_the_score_of_one_weight_is_the_rise_of_a_loss_at_its_minimum(tiny_context, loss):
    # with the network's own answers as labels, drawn often, the loss is flat and its curvature Gauss-Newton's
    here = tiny_context()
    network, images, _ = here.running()
    logits = network.forward((images.astype(np.float32) - 127.5) / 127.5)[0]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    copies = 400
    labels = np.array([np.random.default_rng(3).choice(3, copies, p=share) for share in shares]).T.ravel()
    inputs = np.tile(images, (copies, 1, 1, 1)), labels
    many = tiny_context(inputs=(np.tile(images, (60, 1, 1, 1)), np.tile(here.inputs[1], 60)))
    score = prune.scores_for("obd", many)["head.linear.weight"]
    weight, name = here.weights["head.linear.weight"], "head.linear.weight"
    place = np.unravel_index(score.argmax(), score.shape)
    fraction, moved = 0.3, {}
    for sign in (1, -1):
        value = weight.copy()
        value[place] *= 1 + sign * fraction
        moved[sign] = loss(network, inputs, {name: value})
    rise = (moved[1] + moved[-1]) / 2 - loss(network, inputs)
    assert rise == pytest.approx(fraction**2 * score[place], rel=0.15)
