"""The margin certificate is never above the accuracy after any admitted change."""

import numpy as np
import pytest

from deeptheory.theory import field_margins, margin_certificate


@pytest.mark.parametrize("delta", [0.05, 0.3, 1.0])
def test_no_change_within_delta_breaks_the_certificate(delta):
    rng = np.random.default_rng(1)
    labels = rng.integers(5, size=400)
    fields = rng.standard_normal((400, 5))
    fields[np.arange(400), labels] += 2
    margins = field_margins(fields, labels)
    certified = margin_certificate(margins, delta)
    worst = fields + delta
    worst[np.arange(400), labels] -= 2 * delta
    changes = [fields + rng.uniform(-delta, delta, fields.shape) for _ in range(20)] + [worst]
    accuracies = [np.mean(field_margins(changed, labels) > 0) for changed in changes]
    assert min(accuracies) >= certified
    assert accuracies[-1] == pytest.approx(float(certified))  # the worst case reaches the bound


def test_several_bounds_at_once_and_a_bound_per_input():
    margins = np.array([0.5, 2.0, -1.0, 4.0])
    np.testing.assert_allclose(margin_certificate(margins, [0.0, 0.25, 1.5]), [0.75, 0.5, 0.25])
    np.testing.assert_allclose(margin_certificate(margins, [[0.1, 1.5, 0.0, 1.0]]), [0.5])


@pytest.mark.parametrize(
    ("margins", "delta", "text"),
    [
        ([], 0.1, r"at least one input, found shape \(0,\)"),
        ([np.nan], 0.1, "finite vector"),
        ([1.0], -0.1, r"delta must be within \[0, inf\), found -0.1"),
        ([1.0, 2.0], np.zeros((1, 3)), r"delta must be a number, \(T,\) or \(T, 2\), found shape \(1, 3\)"),
    ],
)
def test_refused_input_names_the_range(margins, delta, text):
    with pytest.raises(ValueError, match=text):
        margin_certificate(margins, delta)


def test_a_margin_is_positive_where_the_true_label_wins():
    fields = np.array([[1.0, 3.0, 2.0], [1.0, 3.0, 2.0], [-1.0, -3.0, -2.0]])
    np.testing.assert_array_equal(field_margins(fields, np.array([1, 2, 0])), [1.0, -1.0, 1.0])


@pytest.mark.parametrize(
    ("fields", "labels", "text"),
    [
        (np.zeros((2, 1)), [0, 0], r"K at least 2 and labels \(N,\), found \(2, 1\) and \(2,\)"),
        (np.zeros((2, 3)), [0, 3], r"labels must be within 0\.\.2, found 0 to 3"),
        (np.full((1, 2), np.inf), [0], "fields must be finite"),
    ],
)
def test_fields_and_labels_that_do_not_fit_are_refused(fields, labels, text):
    with pytest.raises(ValueError, match=text):
        field_margins(fields, np.array(labels))
