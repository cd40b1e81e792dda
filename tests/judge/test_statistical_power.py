import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.judge import non_inferiority, superiority
from deeptheory.judge.rules import NoLoss, Positive, Within
from deeptheory.judge.statistical_power import detectable_effect, power, seeds_needed


def simulated(test, effect, scatter, n_seeds, n=4000):
    draws = np.random.default_rng(0).normal(effect, scatter, (n, n_seeds))
    return np.mean([test(row).p < 0.05 for row in draws])


@pytest.mark.parametrize(("effect", "n_seeds"), [(0.0, 5), (0.4, 5), (0.4, 8)])
def test_power_against_simulation(effect, n_seeds):
    assert power(effect, 0.3, n_seeds) == pytest.approx(
        simulated(superiority, effect, 0.3, n_seeds), abs=0.025 if effect else 0.015
    )
    loss = simulated(lambda row: non_inferiority(row, 0.5), effect - 0.5, 0.3, n_seeds)
    assert power(effect, 0.3, n_seeds, one_sided=True) == pytest.approx(loss, abs=0.025)


def test_detectable_effect_has_the_power_wanted():
    effect = detectable_effect(0.3, 5)
    assert power(effect, 0.3, 5) == pytest.approx(0.8)
    assert detectable_effect(0.6, 5) == pytest.approx(2 * effect)
    assert power(detectable_effect(0.3, 5, 0.99, True, 0.9), 0.3, 5, 0.99, True) == pytest.approx(0.9)


def test_seeds_needed():
    effect = detectable_effect(0.3, 7)
    assert seeds_needed(1.001 * effect, 0.3) == 7
    assert seeds_needed(0.999 * effect, 0.3) == 8
    assert seeds_needed(0.001, 1.0) is None


def test_rules_find_where_they_say():
    assert Positive().found(0.3, 5, 0.95, 0.8) == pytest.approx(detectable_effect(0.3, 5))
    assert NoLoss(0.5).found(0.3, 5, 0.95, 0.8) == pytest.approx(
        detectable_effect(0.3, 5, one_sided=True) - 0.5
    )
    assert 0 < Within(1.0).found(0.1, 5, 0.95, 0.8) < 1
    assert np.isnan(Within(0.1).found(0.3, 5, 0.95, 0.8))


@pytest.mark.parametrize(
    ("arguments", "text"), [((1.0, 0.0, 5), "scatter"), ((1.0, 1.0, 1), "at least 2 for a test")]
)
def test_bad_input(arguments, text):
    with pytest.raises(InputError, match=text):
        power(*arguments)
