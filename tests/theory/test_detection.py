"""Accuracy of the largest of K independent fields: limits, and the linear form for small errors."""

import numpy as np
import pytest

from deeptheory.theory import detection_accuracy, detection_error_linear


def test_detection_limits():
    assert float(detection_accuracy(0.0, 1000)) == pytest.approx(1e-3, abs=1e-12)
    assert detection_accuracy(np.array([1.0, 2.0])[:, None], np.array([3, 30, 300])).shape == (2, 3)


def test_linear_error_bounds_the_exact_one_and_meets_it_when_small():
    distance, n_labels = np.array([1.0, 3.0, 6.0, 8.0]), 100
    exact = 1 - detection_accuracy(distance, n_labels)
    linear = detection_error_linear(distance, n_labels)
    assert np.all(linear >= exact)
    assert linear[-1] == pytest.approx(exact[-1], rel=0.05)
    assert float(detection_error_linear(4.0, 201)) == pytest.approx(
        2 * float(detection_error_linear(4.0, 101))
    )


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: detection_accuracy(1.0, 1), "n_labels must be whole numbers of at least 2, found 1"),
        (lambda: detection_error_linear(1.0, 2.5), "n_labels must be whole numbers of at least 2, found 2.5"),
        (lambda: detection_accuracy(1.0, np.inf), "n_labels must be whole numbers of at least 2, found inf"),
        (lambda: detection_error_linear(np.inf, 5), "distance must be finite, found inf"),
    ],
)
def test_refused_input_names_the_range(call, text):
    with pytest.raises(ValueError, match=text):
        call()
