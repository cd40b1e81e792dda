import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_rel

from deeptheory.errors import InputError
from deeptheory.judge import equivalence, holm, non_inferiority, paired_interval, superiority
from deeptheory.judge.statistics import sign_flip_p

ALPHA = 0.05


def samples(mean, spread, n_studies=2000, n_seeds=5, seed=0):
    return np.random.default_rng(seed).normal(mean, spread, (n_studies, n_seeds))


def share_below(test, differences):
    return np.mean([test(row).p < ALPHA for row in differences])


def no_more_than(rate, bound, n):
    """True if a rate seen in n studies is within 3 standard errors of at most `bound`."""
    return rate <= bound + 3 * math.sqrt(bound * (1 - bound) / n)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_interval_is_that_of_scipy(level):
    rng = np.random.default_rng(0)
    new, old = rng.normal(90.3, 0.4, 7), rng.normal(90, 0.4, 7)
    reference = ttest_rel(new, old)
    interval = reference.confidence_interval(level)
    assert paired_interval(new - old, level) == pytest.approx(
        (np.mean(new - old), interval.low, interval.high)
    )


def test_p_values_are_those_of_scipy():
    differences = np.array([0.4, -0.1, 0.7, 0.3, 0.6])
    assert superiority(differences).p == pytest.approx(ttest_1samp(differences, 0).pvalue)
    above = ttest_1samp(differences, -0.5, alternative="greater").pvalue
    below = ttest_1samp(differences, 0.5, alternative="less").pvalue
    assert non_inferiority(differences, 0.5).p == pytest.approx(above)
    assert equivalence(differences, 0.5).p == pytest.approx(max(above, below))


def test_a_loss_is_no_evidence_for_superiority():
    assert superiority(-np.array([1.0, 1.1, 0.9, 1.0, 1.05])).p == 1


@pytest.mark.parametrize("mean", [-1.2, -0.5, 0.0, 0.2, 0.5, 1.2])
def test_interval_is_dual_to_the_test(mean):
    for row in samples(mean, 0.3, n_studies=100):
        loss, beats, agrees = non_inferiority(row, 0.5), superiority(row), equivalence(row, 0.5)
        assert (loss.p_t < ALPHA) == (loss.low > -0.5)
        assert (beats.p_t < ALPHA) == (beats.low > 0)
        assert (agrees.p_t < ALPHA) == (agrees.low > -0.5 and agrees.high < 0.5)
        if loss.visibly_not_normal:
            continue
        assert loss.excluded == (loss.high < -0.5)
        assert beats.excluded == (beats.high <= 0)
        assert agrees.excluded == (agrees.high < -0.5 or agrees.low > 0.5)
    assert (loss.interval_level, beats.interval_level, agrees.interval_level) == pytest.approx(
        (0.9, 0.95, 0.9)
    )


def test_false_positive_rates_on_planted_data():
    """At the edge of each null hypothesis, 5 seeds, 2000 studies: not above the level, and not far below."""
    n = 2000
    edge = share_below(lambda row: non_inferiority(row, 0.5), samples(-0.5, 0.25))
    assert no_more_than(edge, 0.05, n)
    assert edge > 0.03
    tie = share_below(superiority, samples(0, 0.25, seed=1))
    assert no_more_than(tie, 0.025, n)
    assert tie > 0.015
    assert no_more_than(share_below(lambda row: equivalence(row, 1.0), samples(1.0, 0.25, seed=2)), 0.05, n)


def test_power_on_planted_data():
    """At least 80% with 5 seeds when the true effect is two paired standard deviations inside the claim."""
    assert share_below(lambda row: non_inferiority(row, 0.5), samples(0, 0.25)) >= 0.8
    assert share_below(superiority, samples(0.5, 0.25, seed=1)) >= 0.8
    assert share_below(lambda row: equivalence(row, 1.0), samples(0.3, 0.35, seed=2)) >= 0.8


def test_holm_by_hand():
    # sorted .005, .01, .03, .04 times 4, 3, 2, 1 = .02, .03, .06, .04 -> running maximum .02, .03, .06, .06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_holm_counts_claims_that_could_not_be_tested():
    adjusted = holm([0.01, math.nan])
    assert adjusted[0] == pytest.approx(0.02)
    assert math.isnan(adjusted[1])


def test_holm_keeps_the_family_error():
    """Five true nulls and one strong effect: any false rejection in at most 5% of 5000 families."""
    rng = np.random.default_rng(5)
    p_values = rng.uniform(size=(5000, 6))
    p_values[:, 0] = 1e-6
    false = np.mean([(holm(row)[1:] < ALPHA).any() for row in p_values])
    assert no_more_than(false, 0.05, len(p_values))
    assert np.mean((p_values[:, 1:] < ALPHA).any(axis=1)) > 0.2


@pytest.mark.parametrize(("value", "p"), [(0.0, 2**-5), (-0.5, 1.0), (-0.7, 1.0)])
def test_differences_without_spread(value, p):
    test = non_inferiority(np.full(5, value), 0.5)
    assert (test.effect, test.low, test.high, test.p) == (value, value, value, p)


def test_p_is_never_zero():
    close = np.full(5, 1.0) + 1e-300 * np.arange(5)
    assert all(test.p > 0 for test in (superiority(close), superiority(1e9 + np.arange(5.0))))


@pytest.mark.parametrize("value", [0.01, 0.1, 0.11, 0.25, 0.3, 7.7])
def test_equal_differences_are_no_certainty_however_they_are_rounded(value):
    assert superiority([value] * 5).p == 2 / 2**5
    assert superiority([value * (1 + 1e-15 * k) for k in range(6)]).p == 2 / 2**6


def test_the_interval_is_never_narrower_than_the_test_inputs_allow():
    differences = np.array([0.94, 0.94, 0.94, 0.94, 0.94])
    test = superiority(differences, sampling_error=0.3)
    expected = ttest_1samp([0.0, 1.0, 2.0, 3.0, 4.0], 0).confidence_interval  # only for its quantile
    half = 0.3 * (expected(0.95).high - 2.0) / (np.std(np.arange(5.0), ddof=1) / math.sqrt(5))
    assert (test.low, test.high) == pytest.approx((0.94 - half, 0.94 + half))
    assert test.p > 0.03
    scattered = np.array([0.4, -0.1, 0.7, 0.3, 0.6])
    assert superiority(scattered, sampling_error=1e-3) == superiority(scattered)


def test_sign_flips_are_those_of_scipy():
    from scipy.stats import permutation_test

    for values in samples(0.3, 1.0, n_studies=20, n_seeds=7):
        reference = permutation_test(
            (values,),
            lambda x, axis: x.mean(axis),
            permutation_type="samples",
            alternative="greater",
            n_resamples=np.inf,
        )
        assert sign_flip_p(values) == pytest.approx(reference.pvalue)
    assert sign_flip_p([1.0, 2.0, 3.0]) == 1 / 8
    many = np.random.default_rng(0).normal(0.6, 1.0, 20)
    assert sign_flip_p(many) == pytest.approx(ttest_1samp(many, 0, alternative="greater").pvalue, rel=0.5)


def test_the_more_careful_test_counts_where_seeds_are_visibly_not_normal():
    skewed = np.array([1.0, 1.01, 1.02, 0.99, 2.0])
    test = superiority(skewed)
    assert test.visibly_not_normal
    assert test.p == max(test.p_t, test.p_flips) == test.p_flips == 2 / 32
    assert math.isnan(superiority([0.4, -0.1, 0.7, 0.3, 0.6]).p_flips)
    assert not superiority(-skewed).excluded  # the other way round sign flips do not contradict either
    assert non_inferiority(-skewed, 0.5).excluded


def test_equal_arms_do_not_beat_each_other():
    test = superiority(np.zeros(5))
    assert test.p == 1
    assert test.excluded


def test_one_seed_has_an_effect_and_nothing_else():
    for test in (superiority([0.3]), non_inferiority([0.3], 0.5), equivalence([0.3], 1.0)):
        assert test.effect == pytest.approx(0.3)
        assert test.n_seeds == 1
        assert not test.excluded
        assert all(math.isnan(number) for number in (test.low, test.high, test.p))


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_level_outside_its_range(level):
    for call in (
        lambda: paired_interval([1, 2], level),
        lambda: superiority([1, 2], level),
        lambda: non_inferiority([1, 2], 0.5, level),
        lambda: equivalence([1, 2], 0.5, level),
    ):
        with pytest.raises(
            InputError, match=rf"level: expected a number within \(0, 1\), found {level}; use 0.95"
        ):
            call()


def test_level_of_a_one_sided_test():
    with pytest.raises(InputError, match=r"level: expected above 0.5 for a one-sided test, found 0.4"):
        non_inferiority([1, 2], 0.5, 0.4)


@pytest.mark.parametrize("margin", [0.0, -0.5, math.nan, math.inf])
def test_margin_outside_its_range(margin):
    for test in (non_inferiority, equivalence):
        with pytest.raises(
            InputError, match=f"margin: expected a positive number of percentage points, found {margin}"
        ):
            test([1, 2], margin)


@pytest.mark.parametrize(
    ("differences", "text"),
    [
        ([], r"differences: expected one number per seed, found shape \(0,\)"),
        ([[1.0, 2.0]], r"found shape \(1, 2\)"),
        ([0.1, math.nan, 0.2, math.inf], "expected finite numbers, found NaN or infinity at position 1, 3"),
    ],
)
def test_differences_that_cannot_be_judged(differences, text):
    with pytest.raises(InputError, match=text):
        superiority(differences)
