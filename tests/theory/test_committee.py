"""The soft committee machine: averages, rates and error against Monte Carlo, known limits, deleted units."""

import numpy as np
import pytest
from scipy.special import erf

from deeptheory.theory import (
    I2,
    I3,
    I4,
    OrderParameters,
    delete_units,
    generalisation_error,
    greedy_deletions,
    learning_curve,
    learning_scatter,
    order_parameter_rates,
    overlaps,
    ranked_deletions,
)

N_DRAWS = 1_000_000


def g(x):
    return erf(x / np.sqrt(2))


def slope(x):
    return np.sqrt(2 / np.pi) * np.exp(-(x**2) / 2)


def draw_fields(rng, covariance):
    return np.linalg.cholesky(covariance) @ rng.standard_normal((len(covariance), N_DRAWS))


def correlated(seed, n_fields):
    """A covariance whose fields all share one positive direction, so that no average is near 0."""
    rng = np.random.default_rng(seed)
    own = rng.uniform(0.2, 1.0, (n_fields, 1)) + 0.4 * rng.standard_normal((n_fields, n_fields))
    return own @ own.T / n_fields + 0.3 * np.eye(n_fields)


def some_parameters():
    rng = np.random.default_rng(5)
    weights = rng.standard_normal((5, 8)) * rng.uniform(0.2, 0.5, (5, 1)) + 0.1
    return overlaps(weights[:3], weights[3:])


@pytest.mark.parametrize(("average", "n_fields"), [(I2, 2), (I3, 3), (I4, 4)])
def test_averages_take_stacks_of_covariances(average, n_fields):
    stack = np.stack([[correlated(seed, n_fields) for seed in (1, 2, 3)]])
    np.testing.assert_array_equal(average(stack), [[average(c) for c in stack[0]]])


def test_rates_within_3_standard_errors_of_the_averages_over_one_step():
    parameters, eta = some_parameters(), 0.7
    fields = draw_fields(np.random.default_rng(7), parameters.covariance)
    students, teachers = fields[:3], fields[3:]
    steps = slope(students) * (g(teachers).sum(axis=0) - g(students).sum(axis=0))
    changes_q = (
        eta * (steps[:, None] * students + students[:, None] * steps) + eta**2 * steps[:, None] * steps
    )
    changes_r = eta * steps[:, None] * teachers
    for expected, changes in zip(order_parameter_rates(parameters, eta), (changes_q, changes_r), strict=True):
        error = changes.std(axis=-1) / np.sqrt(N_DRAWS)
        assert np.all(error < 0.01 * np.abs(expected).max())
        assert np.all(np.abs(changes.mean(axis=-1) - expected) < 3 * error)


def test_one_unit_that_equals_its_teacher_stays():
    taught = OrderParameters([[1.0]], [[1.0]], [[1.0]])
    assert generalisation_error(taught) == pytest.approx(0.0, abs=1e-15)
    for rate in order_parameter_rates(taught, 1.5):
        np.testing.assert_allclose(rate, 0.0, atol=1e-15)


@pytest.mark.parametrize("eta", [1.0, 3.5])
def test_decay_of_one_unit_is_that_of_biehl_and_schwarze(eta):
    # Linear in J - B: the part along B decays slowest below eta = 2.70, the part across B above.
    along = -4 * eta / np.pi * 3**-1.5
    across = -4 * eta / np.pi * 3**-0.5 + 4 * eta**2 / np.pi**2 * 5**-0.5
    curve = learning_curve(OrderParameters([[0.5]], [[0.3]], [[1.0]]), eta, [40.0, 42.0])
    decay = np.diff(np.log(curve.generalisation_error))[0] / 2
    assert decay == pytest.approx(max(along, across), rel=0.01)


def test_one_unit_does_not_learn_above_the_critical_learning_rate():
    critical = np.pi * np.sqrt(5 / 3)
    start = OrderParameters([[0.99]], [[0.99]], [[1.0]])
    below, above = (
        learning_curve(start, scale * critical, [100.0, 200.0]).generalisation_error for scale in (0.95, 1.05)
    )
    assert below[1] < 1e-10
    assert above[1] == pytest.approx(above[0], rel=1e-3)
    assert above[1] > 1e-3


@pytest.mark.parametrize("K", [2, 3, 5])
def test_symmetric_plateau_of_small_learning_rates(K):
    # Saad and Solla (1995): Q = 1 / (2 K - 1) for all pairs, R = (K (2 K - 1))^(-1/2).
    plateau = OrderParameters(
        np.full((K, K), 1 / (2 * K - 1)), np.full((K, K), (K * (2 * K - 1)) ** -0.5), np.eye(K)
    )
    expected = K / np.pi * (np.pi / 6 - K * np.arcsin(1 / (2 * K)))
    assert generalisation_error(plateau) == pytest.approx(expected, rel=1e-12)
    for rate in order_parameter_rates(plateau, 1e-8):
        np.testing.assert_allclose(rate / 1e-8, 0.0, atol=1e-7)


def test_curve_starts_at_the_start_and_follows_the_rates():
    start, eta, h = some_parameters(), 0.7, 1e-4
    curve = learning_curve(start, eta, [0.0, h, 5.0])
    np.testing.assert_allclose(curve.Q[0], start.Q, rtol=1e-12)
    dQ, dR = order_parameter_rates(start, eta)
    np.testing.assert_allclose((curve.Q[1] - curve.Q[0]) / h, dQ, atol=1e-3)
    np.testing.assert_allclose((curve.R[1] - curve.R[0]) / h, dR, atol=1e-3)
    assert curve.generalisation_error[2] == pytest.approx(generalisation_error(curve.at(2)), rel=1e-12)
    onwards = learning_curve(learning_curve(start, eta, [2.0]).at(0), eta, [3.0])
    np.testing.assert_allclose(onwards.Q[0], curve.Q[2], rtol=1e-6)
    np.testing.assert_allclose(onwards.R[0], curve.R[2], rtol=1e-6, atol=1e-9)


def test_scatter_grows_from_the_noise_of_one_step():
    start, eta, h, N = some_parameters(), 0.7, 1e-4, 400
    scatter = learning_scatter(start, eta, [0.0, h], np.random.default_rng(9))
    np.testing.assert_array_equal(scatter.covariance[0], 0)
    weights = np.linalg.cholesky(start.covariance) @ np.eye(5, N)
    student, teacher = weights[:3], weights[3:]
    errors = []
    for xi in np.random.default_rng(11).standard_normal((2000, N)):
        x, y = student @ xi, teacher @ xi
        step = eta / N * slope(x) * (g(y).sum() - g(x).sum())
        errors.append(generalisation_error(overlaps(student + step[:, None] * xi, teacher)))
    assert np.std(errors) * N == pytest.approx(scatter.generalisation_error[1] / h**0.5, rel=0.05)


def test_scatter_does_not_depend_on_the_times_asked_for():
    start = some_parameters()
    one, two = (
        learning_scatter(start, 0.7, alpha, np.random.default_rng(0), 2000) for alpha in ([3.0], [1.03, 3.0])
    )
    assert two.curve.alpha[1] == 3
    assert two.generalisation_error[1] == pytest.approx(one.generalisation_error[0], rel=5e-3)
    assert two.without([0, 2])[1] == pytest.approx(one.without([0, 2])[0], rel=5e-3)


def test_deleting_units_deletes_their_weight_vectors():
    rng = np.random.default_rng(8)
    student, teacher = rng.standard_normal((4, 20)), rng.standard_normal((2, 20))
    full = overlaps(student, teacher)
    for deletion in [*ranked_deletions(full, 2), *greedy_deletions(full)]:
        direct = overlaps(np.delete(student, deletion.units, axis=0), teacher)
        reduced = delete_units(full, deletion.units)
        np.testing.assert_allclose(reduced.Q, direct.Q)
        np.testing.assert_allclose(reduced.R, direct.R)
        assert deletion.generalisation_error == pytest.approx(generalisation_error(direct), rel=1e-12)


def test_every_set_is_ranked_once_best_first():
    ranked = ranked_deletions(some_parameters(), 2)
    assert {units for units, _ in ranked} == {(0, 1), (0, 2), (1, 2)}
    errors = [error for _, error in ranked]
    assert errors == sorted(errors)
    assert errors[0] < errors[-1]


def test_a_unit_without_weights_goes_first_and_costs_nothing():
    teacher = np.eye(2, 10)
    student = np.concatenate([0.9 * teacher[:1], np.zeros((1, 10)), 0.8 * teacher[1:]])
    full = overlaps(student, teacher)
    assert greedy_deletions(full)[0] == ((1,), pytest.approx(generalisation_error(full), rel=1e-12))


def test_units_that_cancel_can_only_go_together_which_greedy_deletion_misses():
    teacher = np.eye(2, 10)
    pair = 1.5 * np.eye(10)[4]
    student = np.stack([0.6 * teacher[0], pair, teacher[1], -pair])
    full = overlaps(student, teacher)
    best = ranked_deletions(full, 2)[0]
    assert best == ((1, 3), pytest.approx(generalisation_error(full), rel=1e-12))
    greedy = greedy_deletions(full)
    assert [len(units) for units, _ in greedy] == [1, 2, 3]
    assert greedy[0].units == (0,)
    assert greedy[1].generalisation_error > 5 * best.generalisation_error


@pytest.mark.parametrize(
    ("Q", "R", "T", "text"),
    [
        (np.eye(2), np.zeros((3, 2)), np.eye(2), r"found \(2, 2\), \(3, 2\) and \(2, 2\)"),
        (np.eye(2), np.zeros((2, 0)), np.zeros((0, 0)), "K and M at least 1"),
        (np.eye(1), [[2.0]], np.eye(1), r"eigenvalues within \[0, inf\)\), found the eigenvalue -1"),
        ([[np.nan]], [[0.0]], np.eye(1), "covariance must be finite, found infinity or NaN"),
        (
            [[1, 0.5], [0, 1]],
            np.zeros((2, 1)),
            np.eye(1),
            "covariance must be symmetric, found elements that differ by 0.5",
        ),
    ],
)
def test_impossible_order_parameters_are_refused(Q, R, T, text):
    with pytest.raises(ValueError, match=text):
        OrderParameters(Q, R, T)


@pytest.mark.parametrize(("average", "n_fields"), [(I2, 2), (I3, 3), (I4, 4)])
def test_averages_refuse_what_is_no_covariance(average, n_fields):
    with pytest.raises(ValueError, match=rf"must be \(\.\.\., {n_fields}, {n_fields}\), found \(5, 5\)"):
        average(np.eye(5))
    with pytest.raises(ValueError, match=r"positive semi-definite .* found the eigenvalue -1"):
        average(-np.eye(n_fields))


@pytest.mark.parametrize("eta", [0.0, -1.0, np.inf, np.nan])
def test_learning_rates_out_of_range_are_refused(eta):
    for call in (
        lambda: order_parameter_rates(some_parameters(), eta),
        lambda: learning_curve(some_parameters(), eta, [1.0]),
        lambda: learning_scatter(some_parameters(), eta, [1.0], np.random.default_rng(0)),
    ):
        with pytest.raises(ValueError, match=rf"learning_rate must be within \(0, inf\), found {eta}"):
            call()


@pytest.mark.parametrize("alpha", [[], [-1.0], [1.0, 1.0], [np.nan], [[1.0]]])
def test_times_out_of_range_are_refused(alpha):
    with pytest.raises(ValueError, match=r"alpha must be times \(n,\) within \[0, inf\), increasing"):
        learning_curve(some_parameters(), 1.0, alpha)


@pytest.mark.parametrize("units", [[3], [-1], [1, 1], [0, 1, 2]])
def test_units_that_cannot_be_deleted_are_refused(units):
    with pytest.raises(ValueError, match=r"units must be different, within 0\.\.2 and fewer than 3"):
        delete_units(some_parameters(), units)
    scatter = learning_scatter(some_parameters(), 1.0, [0.0], np.random.default_rng(0), 2)
    with pytest.raises(ValueError, match=r"units must be different, within 0\.\.2 and fewer than 3"):
        scatter.without(units)


def test_a_covariance_of_one_draw_is_refused():
    with pytest.raises(ValueError, match="n_draws must be at least 2, found 1"):
        learning_scatter(some_parameters(), 1.0, [1.0], np.random.default_rng(0), 1)


@pytest.mark.parametrize("n_deleted", [0, 3])
def test_numbers_of_deleted_units_out_of_range_are_refused(n_deleted):
    with pytest.raises(ValueError, match=rf"n_deleted must be within 1\.\.2 .* found {n_deleted}"):
        ranked_deletions(some_parameters(), n_deleted)


@pytest.mark.parametrize("variance", [1.0, 1e6, 1e9, 1e12, 1e15])
def test_averages_of_fully_correlated_fields_at_any_variance(variance):
    def equal(n_fields):
        return np.full((n_fields, n_fields), variance)

    mean = 2 / np.pi * np.arctan2(variance, np.sqrt(1 + 2 * variance))
    assert float(I2(equal(2))) == pytest.approx(mean, rel=1e-9)
    # <g'(u) u g(u)> and <g'(u)^2 g(u)^2> of one field u.
    root = np.sqrt(1 + 2 * variance)
    assert float(I3(equal(3))) == pytest.approx(2 / np.pi * variance / ((1 + variance) * root), rel=1e-9)
    angle = np.arcsin(variance / (1 + 3 * variance))
    assert float(I4(equal(4))) == pytest.approx(4 / np.pi**2 * angle / root, rel=1e-9)


def test_a_curve_near_its_fixed_point_is_linear_however_long():
    start = OrderParameters([[0.25]], [[0.1]], [[1.0]])
    times = np.array([100, 200, 320.0])
    curve = learning_curve(start, 0.5, [*times, 1e4, 1e9])
    # Biehl and Schwarze: a single unit decays with one rate, past the point where integration hands over.
    deviation = 1 - curve.R[:3, 0, 0]
    rate = np.log(deviation[0] / deviation[1]) / (times[1] - times[0])
    assert deviation[2] == pytest.approx(deviation[1] * np.exp(-rate * 120), rel=1e-2, abs=0)
    np.testing.assert_allclose(curve.Q[3:], 1.0, atol=1e-12)
    at_rest = learning_curve(curve.at(-1), 0.5, [0, 1.0])
    np.testing.assert_allclose(at_rest.R[-1], curve.R[-1], atol=1e-12)


def test_a_plateau_is_left_however_small_the_rates():
    plateau = OrderParameters(np.full((2, 2), 0.3), np.full((2, 2), 0.3), np.eye(2))
    settled = learning_curve(plateau, 0.1, [2000.0]).at(-1)
    nudged = OrderParameters(settled.Q, settled.R + 1e-9 * np.array([[1, -1], [-1, 1]]), settled.T)
    assert np.abs(order_parameter_rates(nudged, 0.1)[1]).max() < 1e-9
    assert learning_curve(nudged, 0.1, [0, 2e4]).generalisation_error[-1] < 1e-6


def test_too_many_sets_of_units_are_refused_before_they_are_made():
    many = OrderParameters(np.eye(40), np.zeros((40, 1)), [[1.0]])
    with pytest.raises(ValueError, match="200000 at most, found 137846528820"):
        ranked_deletions(many, 20)
