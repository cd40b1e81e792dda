"""Marchenko-Pastur: edges and density against noise, the estimate of the noise with planted signals."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad

from deeptheory.theory import keep_components, noise_bulk, noise_density, noise_edges

SHAPES = [(400, 100), (400, 400), (200, 800)]


def noise(rng, shape, variance=1.0):
    return np.sqrt(variance) * rng.standard_normal(shape)


def planted(rng, shape, strengths, variance=1.0):
    """Noise and a signal of orthogonal components of the given singular values."""
    left, right = (np.linalg.qr(rng.standard_normal((side, len(strengths))))[0] for side in shape)
    return noise(rng, shape, variance) + (left * strengths) @ right.T


@pytest.mark.parametrize("shape", SHAPES)
def test_the_density_is_that_of_noise_within_3_standard_errors(shape):
    rng = np.random.default_rng(2)
    lower, upper = noise_edges(*shape, variance=0.3)
    bounds = np.linspace(lower, upper, 6)
    counted = np.array(
        [
            np.histogram(np.linalg.eigvalsh(w.T @ w / shape[0])[-min(shape) :], bounds)[0] / shape[1]
            for w in (noise(rng, shape, 0.3) for _ in range(6))
        ]
    )
    expected = [
        quad(noise_density, a, b, args=(*shape, 0.3), limit=200)[0] for a, b in itertools.pairwise(bounds)
    ]
    smallest = np.linalg.svd(noise(rng, shape, 0.3), compute_uv=False).min() ** 2 / shape[0]
    assert smallest == pytest.approx(lower, abs=0.02 * upper)
    assert sum(expected) == pytest.approx(min(1, shape[0] / shape[1]), rel=1e-6)
    # Eigenvalues repel each other: the scatter of the counts is that over the matrices, not binomial.
    error = counted.std(axis=0, ddof=1).max() / np.sqrt(len(counted)) + 0.5 / shape[1]
    assert np.all(np.abs(counted.mean(axis=0) - expected) < 3 * error)
    assert np.all(noise_density([lower * 0.9, upper * 1.1, 0.0], *shape, 0.3) == 0)


@pytest.mark.parametrize("shape", [(300, 200), (64, 576), (400, 400)])
@pytest.mark.parametrize("n_signal", [0, 5, 30])
def test_planted_components_and_the_variance_of_the_noise_are_found(shape, n_signal):
    rng = np.random.default_rng(3)
    edge = np.sqrt(shape[0] * noise_edges(*shape, variance=0.01).upper)
    matrix = planted(rng, shape, np.linspace(2, 4, n_signal) * edge, 0.01)
    bulk = noise_bulk(np.linalg.svd(matrix, compute_uv=False), *shape)
    assert bulk.variance == pytest.approx(0.01, rel=0.05)
    assert bulk.signal_rank == pytest.approx(
        n_signal, abs=1
    )  # the largest of the noise scatters about the edge
    assert bulk.prunable_rank == min(shape) - bulk.signal_rank
    assert bulk.edge == pytest.approx(edge, rel=0.1)


def test_the_bulk_does_not_depend_on_which_side_is_longer_and_follows_the_scale():
    values = np.linalg.svd(planted(np.random.default_rng(4), (60, 90), [40.0, 50.0]), compute_uv=False)
    one, other, scaled = (
        noise_bulk(values, 60, 90),
        noise_bulk(values[::-1], 90, 60),
        noise_bulk(3 * values, 60, 90),
    )
    assert one == other
    assert scaled.variance == pytest.approx(9 * one.variance)
    assert scaled.signal_rank == one.signal_rank == 2


def test_a_matrix_without_noise_has_no_prunable_component_but_its_zeros():
    assert noise_bulk([5.0, 4.0, 3.0, 0.0, 0.0, 0.0, 0.0], 7, 9) == (0.0, 0.0, 3, 4)


def test_components_are_kept_by_their_rank():
    rng = np.random.default_rng(5)
    matrix = rng.standard_normal((8, 5)).astype(np.float32)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    np.testing.assert_allclose(
        keep_components(matrix, [0, 2]), (left[:, [0, 2]] * values[[0, 2]]) @ right[[0, 2]], atol=1e-6
    )
    np.testing.assert_allclose(keep_components(matrix, range(5)), matrix, atol=1e-6)
    assert keep_components(matrix, []).dtype == np.float32
    assert not keep_components(matrix, []).any()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: noise_edges(0, 5), "n_rows must be at least 1, found 0"),
        (lambda: noise_edges(5, 0), "n_columns must be at least 1, found 0"),
        (lambda: noise_edges(5, 5, -1.0), r"variance must be within \(0, inf\), found -1.0"),
        (lambda: noise_bulk([1.0, 2.0], 3, 3), "singular_values must be 3 finite numbers >= 0, .* found 2"),
        (lambda: noise_bulk([0.0, 0.0], 2, 3), "not all 0, found 2"),
        (lambda: keep_components(np.ones((3, 2)), [2]), r"components must be within 0\.\.1, found \[2\]"),
    ],
)
def test_refused_input_names_the_range(call, text):
    with pytest.raises(ValueError, match=text):
        call()
