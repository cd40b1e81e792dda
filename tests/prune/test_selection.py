import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.prune import MaskedLayer, Ranking, keep_density, masks_of_units
from deeptheory.prune.selection import _density

FIRST = MaskedLayer("stage2.conv.weight", "stage1", "stage2", (8, 5, 3, 3), 5)
SECOND = MaskedLayer("stage3.conv.weight", "stage2", "stage3", (10, 8, 1, 1), 8)
HEAD = MaskedLayer("head.linear.weight", "stage3", "head", (6, 10), 10)
LAYERS = (FIRST, SECOND, HEAD)
WEIGHTS = 8 * 5 * 9 + 10 * 8 + 6 * 10


def scores(granularity, seed=0, **scale):
    rng = np.random.default_rng(seed)
    of_filters = granularity == "filter"
    return {
        layer.weight: rng.uniform(size=layer.units(granularity)) * scale.get(layer.stage_out, 1)
        for layer in LAYERS
        if not (of_filters and layer is HEAD)
    }


def kept_units(given, density, scope, granularity):
    return keep_density(Ranking(LAYERS, given, scope, granularity), density, np.random.default_rng(0))


@pytest.mark.parametrize("granularity", ["weight", "kernel"])
def test_every_layer_gets_the_density_where_scores_rank_within_it(granularity):
    kept = kept_units(scores(granularity), 0.3, "layer", granularity)
    for layer in LAYERS:
        units = kept[layer.weight]
        assert units.sum() == round(0.3 * units.size)


@pytest.mark.parametrize("granularity", ["weight", "kernel"])
def test_scores_that_rank_everything_decide_the_layers(granularity):
    given = scores(granularity, stage3=10)
    kept = kept_units(given, 0.3, "network", granularity)
    masks = masks_of_units(LAYERS, kept, granularity)
    assert masks.total_density == pytest.approx(0.3, abs=5 / WEIGHTS)
    assert masks.density(SECOND.weight) > 0.8
    lowest_kept = min(given[name][units].min() for name, units in kept.items() if units.any())
    highest_gone = max(given[name][~units].max() for name, units in kept.items() if not units.all())
    assert lowest_kept > highest_gone


@pytest.mark.parametrize("scope", ["layer", "network"])
def test_a_filter_takes_its_inputs_and_outputs_along(scope):
    given = scores("filter")
    kept = kept_units(given, 0.5, scope, "filter")
    masks = masks_of_units(LAYERS, kept, "filter")
    first, second = kept[FIRST.weight], kept[SECOND.weight]
    assert (masks.kernels(FIRST.weight) == np.outer(first, np.ones(5, bool))).all()
    assert (masks.kernels(SECOND.weight) == np.outer(second, first)).all()
    assert (masks.kernels(HEAD.weight) == np.outer(np.ones(6, bool), second)).all()
    # one filter more or less changes the density by 60 of 500 weights at most
    assert masks.total_density == pytest.approx(0.5, abs=0.06)
    if scope == "layer":
        assert first.mean() == pytest.approx(second.mean(), abs=0.13)


def test_at_least_one_unit_is_left_of_every_layer_where_scores_rank_within_it():
    given = scores("kernel")
    kept = kept_units(given, 0.022, "layer", "kernel")
    assert [int(kept[layer.weight].sum()) for layer in LAYERS] == [1, 2, 1]


def test_a_density_that_cannot_be_reached_says_which_can():
    text = (
        r"density at filter granularity: expected 0.02, found 0\.1[0-9]* as the nearest that can be reached"
    )
    with pytest.raises(InputError, match=text):
        kept_units(scores("filter"), 0.02, "layer", "filter")


@pytest.mark.parametrize("density", [0.0, -0.1, 1.5, float("nan")])
def test_a_density_outside_its_range_is_refused(density):
    with pytest.raises(InputError, match=r"density: expected a number within \(0, 1\], found"):
        kept_units(scores("kernel"), density, "layer", "kernel")


def test_everything_is_kept_at_density_one():
    kept = kept_units(scores("kernel"), 1.0, "network", "kernel")
    assert all(units.all() for units in kept.values())


@pytest.mark.parametrize("granularity", ["weight", "kernel", "filter"])
def test_the_density_of_units_is_that_of_their_masks(granularity):
    for seed in range(5):
        kept = {name: score > 0.4 for name, score in scores(granularity, seed).items()}
        masks = masks_of_units(LAYERS, kept, granularity)
        assert _density(LAYERS, kept, granularity) == pytest.approx(masks.total_density, rel=1e-12)
