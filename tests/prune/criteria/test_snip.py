import numpy as np
import pytest

from deeptheory import prune


@pytest.mark.parametrize("granularity", ["weight", "kernel", "filter"])
def test_scores_are_the_slope_of_the_loss_by_a_factor_of_the_unit(tiny_context, loss, granularity):
    here = tiny_context(granularity)
    found, step = prune.scores_for("snip", here), 1e-4
    for layer in here.units:
        weight, score = here.weights[layer.weight], found[layer.weight]
        assert score.shape == layer.units(granularity)
        places = list(np.ndindex(*score.shape))[:: max(1, score.size // 12)]
        for place in places:
            unit = np.zeros(score.shape)
            unit[place] = step
            factor = unit.reshape(*unit.shape, *[1] * (weight.ndim - unit.ndim))
            if granularity == "kernel":
                factor = np.repeat(unit.ravel(), layer.kernel_size).reshape(layer.shape)
            ends = [
                loss(here.network, here.inputs, {layer.weight: weight * (1 + sign * factor)})
                for sign in (1, -1)
            ]
            assert score[place] == pytest.approx(abs(ends[0] - ends[1]) / (2 * step), abs=1e-8)
        assert score.max() > 1e-3


def test_only_the_first_thousand_inputs_count(tiny_context, tiny_inputs, monkeypatch):
    images, labels = tiny_inputs
    monkeypatch.setattr("deeptheory.prune.criteria.snip.INPUTS", 6)
    found = prune.scores_for("snip", tiny_context())
    fewer = prune.scores_for("snip", tiny_context(inputs=(images[:6], labels[:6])))
    assert all((found[name] == fewer[name]).all() for name in found)
