import numpy as np
import pytest

from deeptheory.data import Dataset
from deeptheory.errors import InputError


def make(**changes):
    parts = {
        "name": "tiny",
        "train_images": np.zeros((4, 2, 3, 1), np.uint8),
        "train_labels": np.array([0, 1, 0, 1]),
        "test_images": np.zeros((1, 2, 3, 1), np.uint8),
        "test_labels": np.array([1]),
        "label_names": ("a", "b"),
    }
    return Dataset(**(parts | changes))


def test_properties():
    assert (make().n_labels, make().input_shape) == (2, (2, 3, 1))


def test_a_test_set_of_training_inputs_is_known():
    assert make().tests_on_training
    assert not make(test_images=np.ones((1, 2, 3, 1), np.uint8)).tests_on_training
    none = {"test_images": np.zeros((0, 2, 3, 1), np.uint8), "test_labels": np.zeros(0, np.int64)}
    assert not make(**none).tests_on_training
    more = {"test_images": np.zeros((5, 2, 3, 1), np.uint8), "test_labels": np.zeros(5, np.int64)}
    assert not make(**more).tests_on_training


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"train_images": np.zeros((4, 2, 3, 1))},
            r"training images of 'tiny': expected uint8 of shape \(N, H, W, C\), found float64",
        ),
        (
            {"test_images": np.zeros((1, 2, 3), np.uint8)},
            r"test images of 'tiny': expected uint8 .* found uint8 of shape \(1, 2, 3\)",
        ),
        (
            {"label_names": ("a", "b\0c")},
            r"name of the data or of a label: expected text without NUL, found 'b",
        ),
        ({"name": "b\0"}, "expected text without NUL"),
        ({"label_names": ("a", "b", "a")}, "a name of its own for each, found 'a' for labels 0 and 2; tell"),
        (
            {"train_labels": np.array([0, 1])},
            r"training labels of 'tiny': expected int64 of shape \(4,\).*, found int64 of shape \(2,\)",
        ),
        ({"train_labels": np.zeros(4, np.uint8)}, r"expected int64 of shape \(4,\).*, found uint8"),
        (
            {"train_labels": np.array([0, 1, 5, 7])},
            r"training labels of 'tiny': expected labels in 0\.\.1, found label 5 at image 2 and 1 more",
        ),
        ({"test_labels": np.array([-1])}, r"expected labels in 0\.\.1, found label -1 at image 0;"),
        (
            {"test_images": np.zeros((1, 2, 2, 1), np.uint8)},
            r"test images of 'tiny': expected the shape of the training images \(2, 3, 1\), found \(2, 2",
        ),
        (
            {"train_images": np.zeros((0, 2, 3, 1), np.uint8), "train_labels": np.zeros(0, np.int64)},
            "training images of 'tiny': expected at least one image, found none",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes, text):
    with pytest.raises(InputError, match=text):
        make(**changes)
