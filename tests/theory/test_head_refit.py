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


@pytest.mark.parametrize("n_inputs", [2, 3, 40, 300])
def test_surrogates_have_exactly_the_components_moments_and_rank(n_inputs):
    rng = np.random.default_rng(3)
    features, labels = features_and_labels(rng, n_labels=3, width=5, n_inputs=n_inputs)
    shuffled = rng.permutation(len(labels))
    features, labels = features[shuffled].astype(np.float32), labels[shuffled]
    components = (features[:, 0] > np.median(features[:, 0])).astype(int)
    drawn, drawn_labels = gaussian_surrogates(features, labels, components, rng)
    assert drawn.dtype == np.float32
    np.testing.assert_array_equal(drawn_labels, np.sort(labels))
    start = 0
    for label in range(3):
        for component in np.unique(components[labels == label]):
            theirs = features[(labels == label) & (components == component)]
            mine = drawn[start : start + len(theirs)]
            start += len(theirs)
            scale = np.abs(theirs).max()
            np.testing.assert_allclose(mine.mean(axis=0), theirs.mean(axis=0), atol=1e-5 * scale)
            centred = [points - points.mean(axis=0) for points in (mine, theirs)]
            moments = [points.T @ points for points in centred]
            np.testing.assert_allclose(*moments, atol=1e-5 * len(theirs) * scale**2)


def test_surrogates_are_gaussian_whatever_the_inputs_are():
    rng = np.random.default_rng(4)
    features = rng.exponential(size=(20_000, 1))  # third and fourth cumulants 2 and 6
    drawn, _ = gaussian_surrogates(features, np.zeros(20_000, int), None, rng)
    z = (drawn - drawn.mean()) / drawn.std()
    assert abs(np.mean(z**3)) < 4 * np.sqrt(6 / len(z))
    assert abs(np.mean(z**4) - 3) < 4 * np.sqrt(24 / len(z)) + 6 / 256  # parts of 256 are not quite Gaussian


def test_surrogates_of_one_gaussian_differ_from_those_of_two_components():
    rng = np.random.default_rng(4)
    features = np.concatenate([np.full((30, 1), -5.0), np.full((30, 1), 5.0)]) + rng.standard_normal((60, 1))
    labels, components = np.zeros(60, int), np.repeat([0, 1], 30)
    one, _ = gaussian_surrogates(features, labels, None, rng)
    two, _ = gaussian_surrogates(features, labels, components, rng)
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
        gaussian_surrogates(features, labels[:5], None, rng)
    with pytest.raises(ValueError, match=r"components must be \(200,\), found \(3,\)"):
        gaussian_surrogates(features, labels, np.zeros(3, int), rng)
    single = np.append(labels[:-1], 4)
    with pytest.raises(ValueError, match="every label needs at least 2 inputs, found 1 of label 4"):
        gaussian_surrogates(features, single, None, rng)
