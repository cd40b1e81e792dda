"""Pruned Gaussian weights at finite size against the formulas."""

import numpy as np
import pytest

from deeptheory.theory import magnitude_overlap, sign_disagreement
from deeptheory.theory.simulations.magnitude import prune_at_random, prune_by_magnitude

SIDES = [
    *((prune_by_magnitude, kept, float(magnitude_overlap(kept))) for kept in (0.05, 0.1, 0.3, 0.5)),
    *((prune_at_random, kept, kept) for kept in (0.1, 0.5)),
]


def assert_within_3_standard_errors(values, expected, relative):
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean() - expected) < 3 * error
    assert error < relative * expected


@pytest.mark.parametrize(("prune", "kept", "squared"), SIDES)
def test_squared_overlap_within_3_standard_errors(prune, kept, squared):
    pruned = prune(kept, n_weights=20_000, n_vectors=60, n_inputs=1, rng=np.random.default_rng(1))
    assert_within_3_standard_errors(pruned.squared_overlap, squared, relative=0.01)


@pytest.mark.parametrize(("prune", "kept", "squared"), [*SIDES[:3], *SIDES[4:]])
def test_sign_disagreement_within_3_standard_errors(prune, kept, squared):
    pruned = prune(kept, n_weights=1000, n_vectors=80, n_inputs=1000, rng=np.random.default_rng(2))
    assert_within_3_standard_errors(
        pruned.sign_disagreement, float(sign_disagreement(squared)), relative=0.01
    )


def test_everything_kept_changes_nothing_and_magnitude_keeps_the_largest():
    whole = prune_by_magnitude(1.0, 50, 3, 10, np.random.default_rng(3))
    np.testing.assert_allclose(whole.squared_overlap, 1.0)
    np.testing.assert_array_equal(whole.sign_disagreement, 0.0)
    one = prune_by_magnitude(0.01, 50, 200, 1, np.random.default_rng(4))
    weights = np.random.default_rng(5).standard_normal((200, 50))
    expected = (weights**2).max(axis=1) / (weights**2).sum(axis=1)
    assert abs(one.squared_overlap.mean() - expected.mean()) < 4 * expected.std() / np.sqrt(100)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0.0, 10, 1, 1), r"kept \(density\) must be within \(0, 1\], found 0"),
        ((0.5, 0, 1, 1), "n_weights must be at least 1, found 0"),
        ((0.5, 10, 0, 1), "n_vectors must be at least 1, found 0"),
        ((0.5, 10, 1, 0), "n_inputs must be at least 1, found 0"),
    ],
)
def test_refused_input_names_the_range(arguments, text):
    for prune in (prune_by_magnitude, prune_at_random):
        with pytest.raises(ValueError, match=text):
            prune(*arguments, np.random.default_rng(0))
