import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from deeptheory.errors import InputError
from deeptheory.reports.plot.intervals import (
    accuracy_interval,
    draw_chance,
    interval,
    per_seed,
    per_seed_accuracy,
    wilson,
)


def test_three_seeds_give_students_interval():
    values = np.random.default_rng(1).normal(0.8, 0.05, (5, 3))
    of = interval(values, n_test=1000)
    low, high = stats.t.interval(0.95, df=4, loc=values.mean(axis=0), scale=stats.sem(values, axis=0))
    np.testing.assert_allclose(of.low, low, rtol=1e-12)
    np.testing.assert_allclose(of.high, high, rtol=1e-12)
    assert of.meaning == "bars: 95% interval of the mean, 5 seeds"


def test_two_seeds_give_their_range():
    of = interval(np.array([[0.2, 0.9], [0.4, 0.8]]))
    np.testing.assert_array_equal(of.low, [0.2, 0.8])
    np.testing.assert_array_equal(of.high, [0.4, 0.9])
    np.testing.assert_allclose(of.mean, [0.3, 0.85])
    assert of.meaning == "bars: range of 2 seeds"


def test_one_seed_gives_wilsons_interval():
    right = np.array([0, 3, 411, 500])
    of = interval(right[np.newaxis] / 500, n_test=500)
    for place, count in enumerate(right):
        expected = stats.binomtest(int(count), 500).proportion_ci(0.95, method="wilson")
        assert of.low[place] == pytest.approx(expected.low, abs=1e-12)
        assert of.high[place] == pytest.approx(expected.high, abs=1e-12)
    assert of.meaning == "bars: 95% binomial, 1 seed, 500 inputs"


def test_wilson_contains_the_share():
    share = np.linspace(0, 1, 101)
    low, high = wilson(share, 40)
    assert np.all((low <= share) & (share <= high))
    assert np.all((low >= 0) & (high <= 1))


def test_one_seed_without_inputs_has_no_interval():
    of = interval(np.array([[1.5, 2.5]]))
    np.testing.assert_array_equal(of.low, of.high)
    assert of.meaning == "1 seed, no interval"


def test_no_interval_of_an_accuracy_leaves_0_and_1():
    values = np.array([[0.0, 0.9], [0.0, 1.0], [0.3, 1.0]])
    free, cut = interval(values), accuracy_interval(values)
    assert free.low[0] < 0
    assert free.high[1] > 1
    assert (cut.low[0], cut.high[1]) == (0, 1)
    assert (cut.high[0], cut.low[1]) == (free.high[0], free.low[1])


def test_the_line_of_chance_has_its_value_and_moves_no_axis():
    for limits, label in (((0, 1), "chance: 0.025"), ((0.5, 1), "chance: 0.025, outside")):
        axes = Figure().subplots()
        axes.set_ylim(limits)
        draw_chance(axes, 0.025)
        assert axes.get_ylim() == limits
        assert axes.get_legend_handles_labels()[1] == [label]


def test_shapes_are_checked():
    assert per_seed("SNR", [1.0, 2.0], 2).shape == (1, 2)
    with pytest.raises(InputError, match=r"^SNR: expected shape \(seeds, 3\), found shape \(2, 2\)$"):
        per_seed("SNR", np.ones((2, 2)), 3)


@pytest.mark.parametrize("wrong", [-0.1, 83.3, np.nan])
def test_accuracies_are_checked(wrong):
    with pytest.raises(InputError, match=f"accuracy: expected shares within 0 and 1, found {wrong:g}"):
        per_seed_accuracy("accuracy", [0.5, wrong], 2)
