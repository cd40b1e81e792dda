"""On-line learning weight by weight: its step, its random numbers, and its way along the theory's curve."""

import numpy as np
import pytest
from scipy.special import erf

from deeptheory.theory import (
    OrderParameters,
    delete_units,
    generalisation_error,
    learning_curve,
    learning_scatter,
    overlaps,
)
from deeptheory.theory.simulations.committee import draw_weights, learn

START = OrderParameters(0.25 * np.eye(3), [[0.2, 0.0], [0.0, 0.1], [0.05, 0.05]], np.eye(2))


def test_drawn_weights_have_exactly_the_given_overlaps():
    student, teacher = draw_weights(START, 50, np.random.default_rng(0))
    drawn = overlaps(student, teacher)
    np.testing.assert_allclose(drawn.covariance, START.covariance, atol=1e-14)
    other, _ = draw_weights(START, 50, np.random.default_rng(1))
    assert np.abs(student @ other.T).max() < 0.25  # other directions: not the frame of the first draw


def test_degenerate_overlaps_can_be_drawn():
    taught = OrderParameters(np.eye(2), np.eye(2), np.eye(2))
    student, teacher = draw_weights(taught, 4, np.random.default_rng(0))
    np.testing.assert_allclose(student, teacher, atol=1e-7)


def test_steps_are_those_of_gradient_descent():
    eta, N = 0.8, 20
    student, teacher = draw_weights(START, N, np.random.default_rng(2))
    learnt, curve = learn(student, teacher, eta, [0.0, 0.25, 0.5], np.random.default_rng(3))
    expected = student.copy()
    for step, xi in enumerate(np.random.default_rng(3).standard_normal((10, N)), 1):
        x, y = expected @ xi, teacher @ xi
        difference = erf(y / np.sqrt(2)).sum() - erf(x / np.sqrt(2)).sum()
        expected += eta / N * difference * np.sqrt(2 / np.pi) * np.outer(np.exp(-(x**2) / 2), xi)
        if step == 5:
            np.testing.assert_allclose(curve.R[1], expected @ teacher.T, rtol=1e-12)
    np.testing.assert_allclose(learnt, expected, rtol=1e-12)
    np.testing.assert_allclose(curve.Q[2], expected @ expected.T, rtol=1e-12)
    np.testing.assert_allclose(curve.at(0).covariance, START.covariance, atol=1e-14)


def test_same_generator_same_bits_in_one_piece_or_two():
    student, teacher = draw_weights(START, 700, np.random.default_rng(4))
    before = student.copy()
    whole, _ = learn(student, teacher, 0.5, [2.0], np.random.default_rng(5))
    rng = np.random.default_rng(5)
    half, _ = learn(student, teacher, 0.5, [0.8], rng)
    pieces, _ = learn(half, teacher, 0.5, [1.2], rng)
    np.testing.assert_array_equal(whole, pieces)
    np.testing.assert_array_equal(student, before)


def simulated_errors(n_inputs, n_runs, alpha):
    errors = []
    for seed in range(n_runs):
        rng = np.random.default_rng([n_inputs, seed])
        student, teacher = draw_weights(START, n_inputs, rng)
        errors.append(learn(student, teacher, 0.5, alpha, rng)[1].generalisation_error)
    return np.array(errors)


def test_scatter_around_the_theory_falls_as_the_root_of_the_inputs():
    alpha = [1.0, 4.0]
    expected = learning_curve(START, 0.5, alpha).generalisation_error
    small, large = simulated_errors(100, 30, alpha), simulated_errors(900, 30, alpha)
    # Systematic deviations are of order 1 / N: below the standard error of 30 runs at N = 900.
    error = large.std(axis=0, ddof=1) / np.sqrt(30)
    assert np.all(np.abs(large.mean(axis=0) - expected) < 3 * error)
    np.testing.assert_allclose(small.std(axis=0) / large.std(axis=0), 3.0, rtol=0.35)


def test_scatter_of_a_network_is_predicted_within_3_standard_errors():
    alpha, n_inputs, n_runs = [0.5, 3.0], 200, 150
    predicted = learning_scatter(START, 0.5, alpha, np.random.default_rng(7))
    whole, rest = [], []
    for seed in range(n_runs):
        rng = np.random.default_rng([8, seed])
        curve = learn(*draw_weights(START, n_inputs, rng), 0.5, alpha, rng)[1]
        whole.append(curve.generalisation_error)
        rest.append([generalisation_error(delete_units(curve.at(t), [1])) for t in range(2)])
    for found, expected in ((whole, predicted.generalisation_error), (rest, predicted.without([1]))):
        np.testing.assert_allclose(
            np.std(found, axis=0, ddof=1) * n_inputs**0.5, expected, rtol=3 * (2 * n_runs) ** -0.5
        )


def test_learning_goes_on_after_a_unit_is_deleted():
    alpha, N = [5.0], 2000
    rng = np.random.default_rng(6)
    student, teacher = draw_weights(START, N, rng)
    student, before = learn(student, teacher, 0.5, alpha, rng)
    _, after = learn(np.delete(student, 2, axis=0), teacher, 0.5, [0.0, 5.0], rng)
    expected = learning_curve(delete_units(before.at(0), [2]), 0.5, [0.0, 5.0])
    np.testing.assert_allclose(after.generalisation_error[0], expected.generalisation_error[0], rtol=1e-12)
    np.testing.assert_allclose(after.R[1], expected.R[1], atol=3 * N**-0.5)


def test_what_does_not_fit_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"n_inputs must be at least 5 .* found 4"):
        draw_weights(START, 4, rng)
    with pytest.raises(
        ValueError, match=r"student must be \(K, N\) and teacher \(M, N\), found \(3, 9\) and \(2, 8\)"
    ):
        learn(np.zeros((3, 9)), np.zeros((2, 8)), 0.5, [1.0], rng)
    with pytest.raises(ValueError, match=r"learning_rate must be within \(0, inf\), found 0"):
        learn(np.zeros((3, 9)), np.zeros((2, 9)), 0.0, [1.0], rng)
    with pytest.raises(ValueError, match=r"alpha must be times"):
        learn(np.zeros((3, 9)), np.zeros((2, 9)), 0.5, [-1.0], rng)
