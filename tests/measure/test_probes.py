import msgspec
import numpy as np
import pytest
from scipy.optimize import minimize

from deeptheory import measure
from deeptheory.errors import InputError
from deeptheory.measure.probes.crossentropy import CrossEntropy
from deeptheory.store.checkpoints import CheckpointStore


def problem(n_per_label, n_labels, n_features, rng, noise=1.0, smallest=-2.5):
    """Overlapping classes, rectified correlated features of scales exp(smallest) to e; train and test."""
    centres = rng.standard_normal((n_labels, n_features))
    mixing = rng.standard_normal((n_features, n_features)) / np.sqrt(n_features)
    scales = np.exp(rng.uniform(smallest, 1.0, n_features))
    labels = np.repeat(np.arange(n_labels), 2 * n_per_label)
    latent = centres[labels] + noise * 2 * rng.standard_normal((len(labels), n_features))
    features = (np.maximum(latent @ mixing, 0) * scales).astype(np.float32)
    order = rng.permutation(len(labels))
    half = len(order) // 2
    return tuple(array[part] for part in (order[:half], order[half:]) for array in (features, labels))


def plain_loss(weight, features, labels, l2, mask):
    """Value and gradient in float64, independent of the package."""
    weight = weight.reshape(-1, features.shape[1]) * mask
    logits = features @ weight.T
    logits -= logits.max(axis=1, keepdims=True)
    share = np.exp(logits)
    share /= share.sum(axis=1, keepdims=True)
    row = np.arange(len(labels))
    value = -np.log(share[row, labels]).mean() + l2 / 2 * (weight**2).sum()
    share[row, labels] -= 1
    return value, ((share.T @ features / len(labels) + l2 * weight) * mask).ravel()


def accuracy(fit, features, labels):
    return np.mean((features @ fit.weight.T).argmax(axis=1) == labels)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("l2", [1e-3, 1e-2])
def test_exact_probe_reaches_the_minimum_found_by_an_independent_solver(masked, l2):
    rng = np.random.default_rng(0)
    features, labels, test_features, test_labels = problem(60, 5, 40, rng)
    mask = rng.random((5, 40)) < 0.4 if masked else np.ones((5, 40), np.bool_)
    options = measure.ProbeOptions(l2=l2, tolerance=1e-4)
    fit = measure.fit_probe(features, labels, 5, options, mask=mask if masked else None, quiet=True)
    reference = minimize(
        plain_loss,
        np.zeros(200),
        (features.astype(np.float64), labels, l2, mask),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-9},
    )
    assert fit.converged
    assert fit.gradient_norm <= 1e-4
    assert fit.loss == pytest.approx(reference.fun, rel=1e-5)
    assert not fit.weight[~mask].any()
    best = measure.ProbeFit(reference.x.reshape(5, 40).astype(np.float32), 0.0, 0, True, 0.0, 0.0)
    assert (
        abs(accuracy(fit, test_features, test_labels) - accuracy(best, test_features, test_labels)) <= 1 / 300
    )


def test_more_features_than_the_subspace_and_a_sparse_mask_converge_quickly():
    rng = np.random.default_rng(1)
    features, labels, *_ = problem(40, 10, 400, rng)
    for mask in (None, rng.random((10, 400)) < 0.1):
        fit = measure.fit_probe(features, labels, 10, measure.ProbeOptions(), mask=mask, quiet=True)
        assert fit.converged
        assert fit.iterations < 60
        assert mask is None or not fit.weight[~mask].any()


def test_the_loss_is_no_further_above_its_minimum_than_the_bound_says():
    rng = np.random.default_rng(5)
    features, labels, *_ = problem(40, 5, 300, rng)
    rough, close = (
        measure.fit_probe(features, labels, 5, measure.ProbeOptions(tolerance=tolerance), quiet=True)
        for tolerance in (3e-2, 1e-5)
    )
    assert 0 < rough.loss - close.loss < rough.excess
    assert close.excess < 1e-6


def test_a_large_stage_has_most_of_its_subspace_uncoupled():
    """1500 features: curvature in 187 leading directions, between 128 of them."""
    rng = np.random.default_rng(6)
    features, labels, *_ = problem(30, 15, 1500, rng)
    fits = [
        measure.fit_probe(
            features, labels, 15, measure.ProbeOptions(tolerance=1e-5, l2=1e-2), stream, quiet=True
        )
        for stream in (np.random.default_rng(7), np.random.default_rng(8))
    ]
    assert all(fit.converged and fit.iterations < 60 for fit in fits)
    for fit in fits:  # no part common to all labels, but the rounding of the sum
        assert np.abs(fit.weight.sum(axis=0)).max() < 15 * np.finfo(np.float32).eps * np.abs(fit.weight).max()
    # The minimum does not depend on the draws.
    assert fits[0].loss == pytest.approx(fits[1].loss, rel=1e-4)
    np.testing.assert_allclose(fits[0].weight, fits[1].weight, atol=0.02 * np.abs(fits[0].weight).max())


class Killed(CheckpointStore):
    """Writes a checkpoint after the first iteration, and dies."""

    due = True

    def save(self, state):
        super().save(state)
        raise KeyboardInterrupt


def test_a_fit_that_was_killed_ends_with_the_same_bits(tmp_path):
    features, labels, *_ = problem(30, 15, 600, np.random.default_rng(6))
    options = measure.ProbeOptions(tolerance=1e-4, l2=1e-2)

    def fit(checkpoint):
        return measure.fit_probe(features, labels, 15, options, quiet=True, checkpoint=checkpoint)

    whole, path = fit(None), tmp_path / "probe.h5"
    assert whole.iterations > 1
    with pytest.raises(KeyboardInterrupt):
        fit(Killed(path))
    resumed = fit(CheckpointStore(path))
    np.testing.assert_array_equal(resumed.weight, whole.weight)
    assert resumed.iterations == whole.iterations
    CheckpointStore(path).save({"x": whole.weight})
    with pytest.raises(
        InputError, match=r"probe.h5: expected that of a probe with 'within' of shape \(15, 128\)"
    ):
        fit(CheckpointStore(path))


def test_features_of_low_rank_have_a_smaller_subspace():
    rng = np.random.default_rng(9)
    features, labels, *_ = problem(30, 4, 200, rng)
    low = (features[:, :7] @ rng.standard_normal((7, 200))).astype(np.float32)
    low[: len(low) // 2] = 0
    fit = measure.fit_probe(low, labels, 4, measure.ProbeOptions(), quiet=True)
    assert fit.converged


def test_exact_and_sgd_agree_on_accuracy():
    rng = np.random.default_rng(2)
    features, labels, test_features, test_labels = problem(1000, 5, 30, rng, noise=0.8, smallest=-0.5)
    options = measure.ProbeOptions(epochs=100)
    exact = measure.fit_probe(features, labels, 5, options, rng, quiet=True)
    sgd = measure.fit_probe(
        features, labels, 5, msgspec.structs.replace(options, solver="sgd"), rng, quiet=True
    )
    # SGD stops short along features of small scale: with scales down to exp(-2.5) it is 0.4 points behind.
    assert exact.loss < sgd.loss < 1.01 * exact.loss
    both = [accuracy(fit, test_features, test_labels) for fit in (exact, sgd)]
    assert 0.6 < both[0] < 0.95  # not a trivial problem
    assert abs(both[0] - both[1]) <= 0.003


def test_sgd_keeps_masked_weights_at_zero_and_repeats_with_its_generator():
    rng = np.random.default_rng(3)
    features, labels, *_ = problem(20, 4, 12, rng)
    mask = rng.random((4, 12)) < 0.5
    options = measure.ProbeOptions(solver="sgd", epochs=3)
    fits = [
        measure.fit_probe(features, labels, 4, options, np.random.default_rng(7), mask, quiet=True)
        for _ in range(2)
    ]
    assert not fits[0].weight[~mask].any()
    assert fits[0].weight[mask].all()
    np.testing.assert_array_equal(fits[0].weight, fits[1].weight)


def test_gradient_of_the_objective_against_finite_differences():
    rng = np.random.default_rng(4)
    features, labels, *_ = problem(10, 3, 6, rng)
    mask = rng.random((3, 6)) < 0.7
    objective = CrossEntropy(features, labels, 0.01, mask)
    weight = (0.3 * rng.standard_normal((3, 6)) * mask).astype(np.float32)
    value, gradient = objective(weight)
    expected, plain_gradient = plain_loss(weight, features.astype(np.float64), labels, 0.01, mask)
    assert value == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(gradient.ravel(), plain_gradient, rtol=1e-4, atol=1e-5)
    step = 1e-5
    for entry in np.ndindex(3, 6):
        shifted = np.zeros((3, 6))
        shifted[entry] = step
        up, down = (
            plain_loss(weight + sign * shifted, features.astype(np.float64), labels, 0.01, mask)[0]
            for sign in (1, -1)
        )
        assert gradient[entry] == pytest.approx((up - down) / (2 * step), rel=1e-3, abs=1e-5)


def test_features_or_a_mask_that_are_all_zero_give_zero_weights():
    labels, options = np.arange(12) % 3, measure.ProbeOptions()
    silent = measure.fit_probe(np.zeros((12, 5), np.float32), labels, 3, options, quiet=True)
    assert not silent.weight.any()
    assert silent.loss == pytest.approx(np.log(3), rel=1e-6)
    features = np.random.default_rng(0).random((12, 5), np.float32)
    closed = measure.fit_probe(features, labels, 3, options, mask=np.zeros((3, 5), np.bool_), quiet=True)
    assert not closed.weight.any()


def test_bad_input_is_named():
    features, labels = np.ones((6, 4), np.float32), np.arange(6) % 3
    exact = measure.ProbeOptions()
    diverging = measure.ProbeOptions(solver="sgd", learning_rate=1e6, epochs=20)

    def refused(match, features=features, labels=labels, n_labels=3, options=exact, mask=None):
        with pytest.raises(InputError, match=match):
            measure.fit_probe(features, labels, n_labels, options, mask=mask, quiet=True)

    refused(r"features: expected .*float32.*, found float64", features.astype(np.float64))
    refused(r"mask of the probe: .*\(3, 4\), found bool of shape \(3, 5\)", mask=np.ones((3, 5), np.bool_))
    refused("found label 2", n_labels=2)
    refused("features: .*finite.*, found NaN", np.full_like(features, np.nan))
    refused(
        r"loss of the probe: .*finite.* in epoch .*lower probe\.learning_rate",
        1e12 * features,
        options=diverging,
    )
    # In one batch the loss is finite until the step that leads to infinite weights, the last one.
    last = msgspec.structs.replace(diverging, learning_rate=1e30, epochs=1, batch=6)
    refused("loss of the probe: .*finite.* in epoch 1; lower", 1e12 * features, options=last)
