"""The closed-form masked refit and the Gaussian surrogates."""

import numpy as np
import pytest

from deeptheory.theory import gaussian_surrogates, ridge_head


def features_and_labels(rng, n_labels=4, width=10, n_inputs=50):
    labels = np.repeat(np.arange(n_labels), n_inputs)
    centres = 2 * rng.standard_normal((n_labels, width))
    return np.maximum(centres[labels] + rng.standard_normal((len(labels), width)), 0), labels


def statistics(features, labels):
    means = np.array([features[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    return features.T @ features / len(features), means, np.bincount(labels) / len(labels)


@pytest.mark.parametrize("density", [None, 0.7, 0.3])
def test_ridge_equals_augmented_least_squares_on_the_inputs(density):
    rng = np.random.default_rng(1)
    features, labels = features_and_labels(rng)
    moment, means, shares = statistics(features, labels)
    mask = None if density is None else rng.random((4, 10)) < density
    head = ridge_head(moment, means, shares, mask, l2=0.05)
    ridge = 0.05 * np.trace(moment) / 10
    for output in range(4):
        support = np.arange(10) if mask is None else np.flatnonzero(mask[output])
        rows = np.vstack([features[:, support], np.sqrt(len(features) * ridge) * np.eye(len(support))])
        target = np.concatenate([labels == output, np.zeros(len(support))])
        expected = np.zeros(10)
        expected[support] = np.linalg.lstsq(rows, target, rcond=None)[0]
        np.testing.assert_allclose(head[output], expected, atol=1e-10)


def test_ridge_gives_an_output_without_inputs_zero_weights():
    rng = np.random.default_rng(2)
    moment, means, shares = statistics(*features_and_labels(rng))
    mask = np.ones((4, 10), dtype=bool)
    mask[2] = False
    head = ridge_head(moment, means, shares, mask)
    np.testing.assert_array_equal(head[2], 0.0)
    assert np.all(head[[0, 1, 3]] != 0)


def test_surrogates_have_the_components_moments_within_4_standard_errors():
    rng = np.random.default_rng(3)
    features, labels = features_and_labels(rng, n_labels=2, width=3)
    components = (features[:, 0] > features[:, 0].mean()).astype(int)
    n_draws = 40_000
    drawn, drawn_labels = gaussian_surrogates(features, labels, components, n_draws, rng)
    assert drawn.dtype == np.float32
    np.testing.assert_array_equal(np.bincount(drawn_labels), [n_draws, n_draws])
    for label in range(2):
        # A mixture with each component's mean and covariance has the label's own mean and covariance.
        mine, theirs = drawn[drawn_labels == label].astype(float), features[labels == label]
        error = theirs.std(axis=0) / np.sqrt(n_draws)
        assert np.all(np.abs(mine.mean(axis=0) - theirs.mean(axis=0)) <= 4 * error)
        own, centred = np.cov(mine.T, bias=True), mine - mine.mean(axis=0)
        scatter = np.einsum("ni,nj->nij", centred, centred).std(axis=0) / np.sqrt(n_draws)
        assert np.all(np.abs(own - np.cov(theirs.T, bias=True)) <= 4 * scatter)


def test_surrogates_of_one_gaussian_differ_from_those_of_two_components():
    rng = np.random.default_rng(4)
    features = np.concatenate([np.full((30, 1), -5.0), np.full((30, 1), 5.0)]) + rng.standard_normal((60, 1))
    labels, components = np.zeros(60, int), np.repeat([0, 1], 30)
    one, _ = gaussian_surrogates(features, labels, None, 2000, rng)
    two, _ = gaussian_surrogates(features, labels, components, 2000, rng)
    assert np.mean(np.abs(two) < 1.5) < 0.01 < 0.1 < np.mean(np.abs(one) < 1.5)


def test_refused_input_names_the_range():
    rng = np.random.default_rng(5)
    features, labels = features_and_labels(rng)
    moment, means, shares = statistics(features, labels)
    with pytest.raises(ValueError, match=r"l2 must be within \(0, inf\), found 0"):
        ridge_head(moment, means, shares, l2=0)
    with pytest.raises(ValueError, match="class_shares must be positive with sum 1, found sum 2"):
        ridge_head(moment, means, 2 * shares)
    with pytest.raises(ValueError, match=r"mask must be bool \(4, 10\), found float64 \(4, 10\)"):
        ridge_head(moment, means, shares, np.ones((4, 10)))
    with pytest.raises(ValueError, match=r"second_moment must be \(10, 10\) and class_shares \(4,\)"):
        ridge_head(moment[:9], means, shares)
    with pytest.raises(ValueError, match="second_moment must be positive semi-definite and not zero"):
        ridge_head(-moment, means, shares)
    with pytest.raises(ValueError, match=r"features must be \(N, D\) and labels \(N,\)"):
        gaussian_surrogates(features, labels[:5], None, 10, rng)
    with pytest.raises(ValueError, match=r"components must be \(200,\), found \(3,\)"):
        gaussian_surrogates(features, labels, np.zeros(3, int), 10, rng)
    single = np.append(labels[:-1], 4)
    with pytest.raises(ValueError, match="every label needs at least 2 inputs, found 1 of label 4"):
        gaussian_surrogates(features, single, None, 10, rng)
    with pytest.raises(ValueError, match="n_per_label must be at least 1, found 0"):
        gaussian_surrogates(features, labels, None, 0, rng)
