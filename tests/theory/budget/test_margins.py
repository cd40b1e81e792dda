"""Margins and accuracies with injected noise against draws of noisy fields."""

import numpy as np
import pytest

from deeptheory.theory import accuracy_from_fields, margin_noise, noisy_accuracy, noisy_snr, pairwise_accuracy

K = 5


def noisy_fields(rng, n_filters=6):
    """Gaussian fields of K labels and a layer whose filters reach them linearly, differently for each label."""
    mean = 2.5 * np.eye(K) + 0.3 * rng.standard_normal((K, K))
    factor = rng.standard_normal((K, K, 2 * K)) / np.sqrt(2 * K)
    response = 0.5 * rng.standard_normal((n_filters, K, K))  # dH_j/dz_b for inputs of label i
    residual = rng.uniform(0.2, 1, n_filters)
    return mean, factor, response, residual


def draws(rng, mean, factor, response, residual, label, n_draws):
    fields = mean[label] + rng.standard_normal((n_draws, factor.shape[2])) @ factor[label].T
    noise = rng.standard_normal((n_draws, len(residual))) * np.sqrt(residual)
    return fields + noise @ response[:, label]


def margins(mean, factor):
    covariance = factor @ factor.transpose(0, 2, 1)
    own, rival = np.einsum("iii->i", covariance), np.einsum("ijj->ij", covariance)
    cross = np.einsum("iij->ij", covariance)
    return np.diag(mean)[:, None] - mean, own[:, None] + rival - 2 * cross


def test_snr_and_accuracy_are_those_of_noisy_fields_within_3_standard_errors():
    rng = np.random.default_rng(1)
    mean, factor, response, residual = noisy_fields(rng)
    own = np.diagonal(response, axis1=1, axis2=2)[:, :, None]
    noise = margin_noise(residual, (own - response) ** 2)
    margin_mean, margin_variance = margins(mean, factor)
    snr = noisy_snr(margin_mean, margin_variance, noise)
    injected = np.einsum("b,bij,bik->ijk", residual, response, response)
    predicted = noisy_accuracy(mean, factor @ factor.transpose(0, 2, 1), injected, rng)
    n_draws, correct = 40_000, []
    for label in range(K):
        fields = draws(rng, mean, factor, response, residual, label, n_draws)
        correct.append(np.mean(fields.argmax(axis=1) == label))
        for rival in np.delete(np.arange(K), label):
            margin = fields[:, label] - fields[:, rival]
            counted = margin.mean() / margin.std()
            # Of a ratio of mean to deviation; the prediction without noise is many errors away.
            error = np.sqrt((1 + counted**2 / 2) / n_draws)
            assert abs(counted - snr[label, rival]) < 3.5 * error  # largest of 20
    error = np.sqrt(np.sum(np.array(correct) * (1 - np.array(correct))) / n_draws) / K
    assert abs(predicted.accuracy - np.mean(correct)) < 3 * np.hypot(error, predicted.standard_error)
    unpruned = accuracy_from_fields(mean, factor @ factor.transpose(0, 2, 1), rng)
    assert unpruned.accuracy > predicted.accuracy + 10 * error
    assert pairwise_accuracy(snr).mean() < predicted.accuracy  # margins share the field of the true label


def test_no_noise_leaves_the_field_snr():
    rng = np.random.default_rng(2)
    margin_mean, margin_variance = margins(*noisy_fields(rng)[:2])
    snr = noisy_snr(margin_mean, margin_variance, np.zeros((K, K)))
    pairs = ~np.eye(K, dtype=bool)
    np.testing.assert_allclose(snr[pairs], (margin_mean[pairs] / np.sqrt(margin_variance[pairs])))
    assert np.all(np.isnan(np.diag(snr)))


def test_the_pairwise_accuracy_is_exact_for_independent_margins_and_a_lower_bound_otherwise():
    rng = np.random.default_rng(3)
    mean = 2 * np.eye(K) + 0.3 * rng.standard_normal((K, K))
    variance = rng.uniform(0.3, 1.5, (K, K))
    independent = np.array([np.diag(np.where(np.arange(K) == i, 0, variance[i])) for i in range(K)])
    snr = noisy_snr(np.diag(mean)[:, None] - mean, variance, np.zeros((K, K)))
    expected = accuracy_from_fields(mean, independent, rng)
    np.testing.assert_allclose(pairwise_accuracy(snr), expected.per_label, atol=2e-3)
    # The same variances of the margins, half of them from the field of the true label.
    share = np.min(variance, axis=1) / 2
    shared = np.array(
        [np.diag(np.where(np.arange(K) == i, share[i], variance[i] - share[i])) for i in range(K)]
    )
    assert np.all(accuracy_from_fields(mean, shared, rng).per_label > pairwise_accuracy(snr))


def test_noise_of_one_filter_adds_to_the_margins_it_reaches_only():
    squares = np.zeros((2, 3, 3))
    squares[1, 0, 2] = 4.0
    expected = np.zeros((3, 3))
    expected[0, 2] = 2.0
    np.testing.assert_array_equal(margin_noise(np.array([9.0, 0.5]), squares), expected)


PAIR = np.ones((2, 2))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: margin_noise(np.ones(3), np.ones((2, 2, 2))),
            r"residual must be within \[0, inf\) and \(2,\)",
        ),
        (
            lambda: margin_noise(-np.ones(2), np.ones((2, 2, 2))),
            r"residual must be within \[0, inf\) and \(2,\)",
        ),
        (lambda: margin_noise(np.ones(2), np.ones((2, 2, 3))), r"squared_sensitivity must be \(B, K, K\)"),
        (
            lambda: margin_noise(np.ones(2), -np.ones((2, 2, 2))),
            r"squared_sensitivity must be within \[0, inf\), found -1",
        ),
        (
            lambda: noisy_snr(PAIR, PAIR, np.ones((3, 3))),
            r"must be \(K, K\) with K at least 2, found \(2, 2\)",
        ),
        (lambda: noisy_snr(PAIR * np.nan, PAIR, PAIR), "margin_mean must be finite"),
        (lambda: noisy_snr(PAIR, 0 * PAIR, PAIR), r"margin_variance must be within \(0, inf\), found 0"),
        (lambda: noisy_snr(PAIR, PAIR, -PAIR), r"noise must be within \[0, inf\), found -1"),
        (lambda: pairwise_accuracy(PAIR * np.nan), r"snr must be \(K, K\) with K at least 2 and numbers off"),
        (lambda: pairwise_accuracy(np.ones((1, 1))), r"snr must be \(K, K\) with K at least 2"),
        (
            lambda: noisy_accuracy(PAIR, np.ones((2, 2, 2)), PAIR, np.random.default_rng(1)),
            r"injected must be of the shape of covariance, \(2, 2, 2\), found \(2, 2\)",
        ),
        (
            lambda: noisy_accuracy(
                PAIR, np.stack([np.eye(2)] * 2), -np.stack([np.eye(2)] * 2) / 2, np.random.default_rng(1)
            ),
            "injected must be positive semi-definite, found an eigenvalue -0.5",
        ),
    ],
)
def test_refused_input_names_the_range(call, text):
    with pytest.raises(ValueError, match=text):
        call()
