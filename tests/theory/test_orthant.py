"""Orthant probabilities against exact values and scipy."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from deeptheory.theory import orthant_probability


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.5, 0.9])
def test_two_dimensional_orthant_is_sheppards(correlation):
    covariance = np.array([[[1.0, correlation], [correlation, 1.0]]])
    value, error = orthant_probability(np.zeros((1, 2)), covariance, np.random.default_rng(1), 512)
    exact = 0.25 + np.arcsin(correlation) / (2 * np.pi)
    assert abs(value[0] - exact) < 4 * error[0] + 1e-9
    assert error[0] < 2e-4


def test_orthant_of_six_dimensions_agrees_with_scipy():
    rng = np.random.default_rng(2)
    factor = rng.standard_normal((3, 6, 8))
    covariance = factor @ factor.transpose(0, 2, 1)
    mean = rng.standard_normal((3, 6)) + 2
    value, error = orthant_probability(mean, covariance, rng, 512)
    expected = [
        multivariate_normal(np.zeros(6), c, abseps=1e-5, releps=1e-5, maxpts=200_000, seed=1).cdf(m)
        for m, c in zip(mean, covariance, strict=True)
    ]
    assert np.all(np.abs(value - expected) < 4 * error + 1e-5)
    assert np.all(error < 1e-3)


def test_refused_input_names_the_range():
    rng = np.random.default_rng(9)
    indefinite = np.array([[[1.0, 2.0], [2.0, 1.0]]])
    with pytest.raises(ValueError, match=r"covariance 0 must be positive semi-definite \(.*\), found -1"):
        orthant_probability(np.zeros((1, 2)), indefinite, rng)
    skew = np.array([[[1.0, 0.3], [0.2, 1.0]]])
    with pytest.raises(ValueError, match=r"covariance must be symmetric, found elements that differ by 0\.1"):
        orthant_probability(np.zeros((1, 2)), skew, rng)
    with pytest.raises(ValueError, match="mean and covariance must be finite"):
        orthant_probability(np.full((1, 2), np.nan), np.eye(2)[None], rng)
    with pytest.raises(ValueError, match=r"mean must be \(B, d\) and covariance \(B, d, d\)"):
        orthant_probability(np.zeros((1, 2)), np.eye(3)[None], rng)
    with pytest.raises(ValueError, match="n_points must be at least 1, found 0"):
        orthant_probability(np.zeros((1, 2)), np.eye(2)[None], rng, 0)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e100])
def test_scales_of_the_components_do_not_matter(scale):
    deviations = np.sqrt([scale, 1 / scale, 1.0])
    correlation = np.array([[1.0, 0.8, 0.3], [0.8, 1.0, 0.1], [0.3, 0.1, 1.0]])
    covariance = correlation * deviations[:, None] * deviations
    value, error = orthant_probability(np.zeros((1, 3)), covariance[None], np.random.default_rng(3), 512)
    exact = 1 / 8 + np.arcsin([0.8, 0.3, 0.1]).sum() / (4 * np.pi)
    assert abs(value[0] - exact) < 4 * error[0] + 1e-6
    assert error[0] < 1e-3


def test_a_component_that_does_not_vary_has_the_sign_of_its_mean():
    covariance = np.diag([1, 0])
    mean = np.array([[1, 2], [1, 0], [1, -1]])
    value, _ = orthant_probability(mean, np.stack([covariance] * 3), np.random.default_rng(4))
    np.testing.assert_allclose(value, [0.8413447, 0, 0], atol=1e-6)


def test_rounding_of_a_singular_covariance_is_no_error_and_moves_nothing():
    rng = np.random.default_rng(5)
    factor = rng.standard_normal((2, 30, 3))  # rank 3 in 30 dimensions, as of few inputs
    exact = factor @ factor.swapaxes(1, 2)
    noise = 1e-7 * rng.standard_normal(exact.shape)
    rounded = (
        exact
        + (noise + noise.swapaxes(1, 2))
        * np.sqrt(np.einsum("bii->bi", exact))[:, :, None]
        * np.sqrt(np.einsum("bii->bi", exact))[:, None, :]
    )
    assert np.linalg.eigvalsh(rounded).min() < -1e-7
    mean = np.full((2, 30), 2.0)
    counted = [np.mean(np.all(2.0 + rng.standard_normal((200_000, 3)) @ f.T > 0, axis=1)) for f in factor]
    value, error = orthant_probability(mean, rounded, np.random.default_rng(6), 512)
    assert np.all(np.abs(value - counted) < 4 * (error + 0.5 / np.sqrt(200_000)))
    far = exact - 1e-3 * np.eye(30)
    with pytest.raises(ValueError, match="must be positive semi-definite"):
        orthant_probability(mean, far, rng)
