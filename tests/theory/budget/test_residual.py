"""Residual variance after a refit against least squares on patches, on singular moments and planted redundancy."""

import numpy as np
import pytest

from deeptheory.theory import refitted_weights, relative_noise, residual_variance


def relu_patches(rng, n_patches, width, rank=None):
    """Correlated patches that are never negative."""
    rank = rank or max(2, width // 3)
    common = rng.standard_normal((n_patches, rank)) @ rng.standard_normal((rank, width)) / np.sqrt(rank)
    return np.maximum(common + 0.3 * rng.standard_normal((n_patches, width)), 0)


def moment(patches):
    return patches.T @ patches / len(patches)


def some_mask(rng, n_filters, n_inputs, density):
    mask = rng.random((n_filters, n_inputs)) < density
    mask[:, 0] = True
    return mask


@pytest.mark.parametrize(("n_inputs", "density"), [(36, 0.5), (36, 0.1), (4, 0.5), (12, 0.9)])
def test_refit_and_residual_are_least_squares_on_the_patches(n_inputs, density):
    rng = np.random.default_rng(1)
    patches = relu_patches(rng, 400, 36)
    weights = rng.standard_normal((5, 36))
    mask = some_mask(rng, 5, n_inputs, density)
    refitted = refitted_weights(moment(patches), weights, mask, ridge=0)
    residual = residual_variance(moment(patches), weights, mask, ridge=0)
    for row, kept in enumerate(np.repeat(mask, 36 // n_inputs, axis=1)):
        target = patches @ weights[row]
        expected = np.linalg.lstsq(patches[:, kept], target, rcond=None)[0]
        np.testing.assert_allclose(refitted[row, kept], expected, rtol=1e-8, atol=1e-10)
        left = np.mean((target - patches[:, kept] @ expected) ** 2)
        np.testing.assert_allclose(residual[row], left, rtol=1e-8, atol=1e-14)
        assert not refitted[row, ~kept].any()


def test_refit_to_other_outputs_is_least_squares_with_a_penalty_on_the_change():
    rng = np.random.default_rng(11)
    old = relu_patches(rng, 400, 36)
    new = np.maximum(old + 0.2 * rng.standard_normal(old.shape), 0)
    weights, mask, ridge = rng.standard_normal((5, 36)), some_mask(rng, 5, 12, 0.5), 0.01
    outputs = old @ weights.T
    cross = outputs.T @ new / len(new)
    refitted = refitted_weights(moment(new), weights, mask, ridge, cross)
    penalty = np.sqrt(ridge * np.trace(moment(new)) / 36 * len(new))
    for row, kept in enumerate(np.repeat(mask, 3, axis=1)):
        rows = np.concatenate([new[:, kept], penalty * np.eye(kept.sum())])
        target = np.concatenate([outputs[:, row], penalty * weights[row, kept]])
        expected = np.linalg.lstsq(rows, target, rcond=None)[0]
        np.testing.assert_allclose(refitted[row, kept], expected, rtol=1e-7, atol=1e-9)
        assert not refitted[row, ~kept].any()


def test_refit_to_the_own_outputs_needs_no_cross_moment():
    rng = np.random.default_rng(12)
    g = moment(relu_patches(rng, 300, 12))
    weights, mask = rng.standard_normal((4, 12)), some_mask(rng, 4, 12, 0.5)
    np.testing.assert_allclose(
        refitted_weights(g, weights, mask, 0.1, weights @ g),
        refitted_weights(g, weights, mask, 0.1),
        rtol=1e-9,
    )


def test_a_cross_moment_of_another_shape_is_refused():
    g, weights = np.eye(4), np.ones((2, 4))
    with pytest.raises(ValueError, match=r"cross_moment must be finite \(2, 4\), found \(2, 3\)"):
        refitted_weights(g, weights, np.ones((2, 4), bool), cross_moment=np.ones((2, 3)))


def test_residual_is_the_schur_complement():
    rng = np.random.default_rng(2)
    g = moment(relu_patches(rng, 500, 12))
    weights, mask = rng.standard_normal((6, 12)), some_mask(rng, 6, 12, 0.5)
    for w, kept, e in zip(weights, mask, residual_variance(g, weights, mask, ridge=0), strict=True):
        r, s = np.flatnonzero(~kept), np.flatnonzero(kept)
        schur = g[np.ix_(r, r)] - g[np.ix_(r, s)] @ np.linalg.inv(g[np.ix_(s, s)]) @ g[np.ix_(s, r)]
        assert e == pytest.approx(w[r] @ schur @ w[r], rel=1e-9)


def test_a_sample_of_gaussian_patches_agrees_with_their_covariance_within_3_standard_errors():
    rng = np.random.default_rng(3)
    factor = rng.standard_normal((18, 18)) / 4
    covariance = factor @ factor.T + 0.05 * np.eye(18)
    weights, mask = rng.standard_normal((4, 18)), some_mask(rng, 4, 2, 0.0)
    n_patches = 40_000
    patches = rng.standard_normal((n_patches, 18)) @ np.linalg.cholesky(covariance).T
    for w, kept, e in zip(
        weights, np.repeat(mask, 9, axis=1), residual_variance(covariance, weights, mask), strict=True
    ):
        target = patches @ w
        fitted = np.linalg.lstsq(patches[:, kept], target, rcond=None)[0]
        counted = np.sum((target - patches[:, kept] @ fitted) ** 2) / (n_patches - kept.sum())
        assert abs(counted - e) < 3 * e * np.sqrt(2 / n_patches)


def test_an_input_that_others_make_up_costs_nothing_and_its_control_does():
    rng = np.random.default_rng(4)
    patches = relu_patches(rng, 500, 27)
    # Input 1 is made from input 0 and 2, tap by tap.
    patches[:, 9:18] = 0.5 * patches[:, :9] + 2 * patches[:, 18:]
    g, weights = moment(patches), rng.standard_normal((1, 27))
    redundant, control = np.array([[True, False, True]]), np.array([[True, False, False]])
    variance = weights[0] @ g @ weights[0]
    assert residual_variance(g, weights, redundant)[0] < 1e-5 * variance
    assert residual_variance(g, weights, control)[0] > 1e-2 * variance
    refitted = refitted_weights(g, weights, redundant)[0]
    np.testing.assert_allclose(refitted[:9], weights[0, :9] + 0.5 * weights[0, 9:18], atol=1e-3)


def test_singular_moments_of_dead_and_copied_inputs_agree_with_the_pseudo_inverse():
    rng = np.random.default_rng(5)
    patches = relu_patches(rng, 300, 20)
    patches[:, 3] = 0
    patches[:, 4:8] = patches[:, 8:12]
    g, weights, mask = moment(patches), rng.standard_normal((30, 20)), some_mask(rng, 30, 20, 0.5)
    ridge = 1e-9
    change = residual_variance(g, weights, mask, ridge)
    for w, kept, e in zip(weights, mask, change, strict=True):
        r, s = np.flatnonzero(~kept), np.flatnonzero(kept)
        inverse = np.linalg.pinv(g[np.ix_(s, s)], rcond=1e-10, hermitian=True)
        best = inverse @ g[np.ix_(s, r)] @ w[r]
        exact = w[r] @ g[np.ix_(r, r)] @ w[r] - (g[np.ix_(s, r)] @ w[r]) @ best
        # Too high by no more than the stated bound.
        assert -1e-10 < e - exact <= ridge * np.trace(g) / 20 * (w[r] @ w[r] + best @ best) + 1e-10


def test_fewer_patches_than_weights_are_enough_for_a_moment():
    rng = np.random.default_rng(6)
    g = moment(relu_patches(rng, 10, 36))
    mask = some_mask(rng, 3, 36, 0.6)
    residual = residual_variance(g, rng.standard_normal((3, 36)), mask)
    assert np.all((residual >= 0) & (residual < 1e-3))


def test_keeping_everything_changes_nothing_and_keeping_more_never_costs_more():
    rng = np.random.default_rng(7)
    g, weights = moment(relu_patches(rng, 200, 24)), rng.standard_normal((3, 24)).astype(np.float32)
    everything = np.ones((3, 24), bool)
    np.testing.assert_array_equal(refitted_weights(g, weights, everything), weights)
    np.testing.assert_array_equal(residual_variance(g, weights, everything), 0)
    mask, last = everything.copy(), np.zeros(3)
    for gone in rng.permutation(24)[:-1]:
        mask[:, gone] = False
        residual = residual_variance(g, weights, mask)
        assert np.all(residual >= last)
        last = residual


def test_filters_do_not_see_each_others_support():
    rng = np.random.default_rng(8)
    g, weights = moment(relu_patches(rng, 200, 12)), rng.standard_normal((4, 12))
    mask = some_mask(rng, 4, 12, 0.5)
    mask[2] = mask[0]
    together = residual_variance(g, weights, mask)
    alone = [residual_variance(g, weights[[b]], mask[[b]])[0] for b in range(4)]
    np.testing.assert_allclose(together, alone, rtol=1e-10)


def test_relative_noise_is_in_units_of_the_signal():
    np.testing.assert_array_equal(
        relative_noise([1.0, 0.0, 0.0, 2.0], [4.0, 3.0, 0.0, 0.0]), [0.25, 0, 0, np.inf]
    )
    with pytest.raises(ValueError, match=r"variance must be of the shape of residual, \(2,\), found \(3,\)"):
        relative_noise([1.0, 2.0], [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"residual must be within \[0, inf\), found \[-1.\]"):
        relative_noise([-1.0], [1.0])
    with pytest.raises(ValueError, match=r"variance must be within \[0, inf\), found \[nan\]"):
        relative_noise([1.0], [np.nan])


W = np.ones((2, 4))
KEPT = np.array([[True, False], [True, True]])
SKEW = np.eye(4) + np.triu(np.full((4, 4), 0.5), 1)


@pytest.mark.parametrize(
    ("g", "weights", "mask", "ridge", "text"),
    [
        (np.eye(4)[:3], W, KEPT, 0, r"second_moment must be \(D, D\), found \(3, 4\)"),
        (SKEW, W, KEPT, 0, "second_moment must be symmetric, found elements of up to 1 that differ by 0.5"),
        (
            np.diag([1.0, 1, -1, 1]),
            W,
            KEPT,
            1e-6,
            "second_moment must be positive semi-definite and not zero",
        ),
        (np.zeros((4, 4)), W, KEPT, 1e-6, "second_moment must be positive semi-definite and not zero"),
        (np.ones((4, 4)), W, KEPT, 0, "positive definite at ridge 0, found a ridge of 0 not enough"),
        (np.full((4, 4), np.nan), W, KEPT, 0, "second_moment must be finite"),
        (np.eye(4), W, KEPT, -1, r"ridge must be within \[0, inf\), found -1"),
        (np.eye(4), W[:, :3], KEPT, 0, r"weights must be finite \(B, 4\), found \(2, 3\)"),
        (np.eye(4), np.full((2, 4), np.inf), KEPT, 0, r"weights must be finite \(B, 4\)"),
        (np.eye(4), W, KEPT[:1], 0, r"mask must be bool \(2, n_inputs\), found bool \(1, 2\)"),
        (np.eye(4), W, KEPT * 1.0, 0, r"mask must be bool \(2, n_inputs\), found float64 \(2, 2\)"),
        (np.eye(4), W, np.ones((2, 3), bool), 0, "n_inputs must be a divisor of 4, found 3"),
        (
            np.eye(4),
            W,
            ~KEPT,
            0,
            "mask must keep at least one input of every filter, found none for filter 1",
        ),
    ],
)
@pytest.mark.parametrize("function", [refitted_weights, residual_variance])
def test_refused_input_names_the_range(function, g, weights, mask, ridge, text):
    with pytest.raises(ValueError, match=text):
        function(g, weights, mask, ridge)
