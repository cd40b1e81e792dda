import numpy as np
import pytest

from deeptheory.data import read_files
from deeptheory.errors import InputError

IMAGES = np.random.default_rng(0).integers(2, 256, (6, 5, 4, 3), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])
PARTS = {"train_images": IMAGES, "train_labels": LABELS, "test_images": IMAGES[:3], "test_labels": LABELS[:3]}


@pytest.mark.parametrize("place", ["own.npz", "own.h5", "own"])
@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "y_train", "X_test", "y_test"),
        ("XTrain", "YTrain", "XTest", "YTest"),
        ("train_x", "train_y", "val_x", "val_y"),
        ("train-data", "train-targets", "test-data", "test-targets"),
        ("images", "labels", "test_images", "test_labels"),
        ("data", "target", "valid_data", "valid_target"),
    ],
)
def test_arrays_are_found_by_other_names(tmp_path, write_arrays, place, names):
    arrays = dict(zip(names, PARTS.values(), strict=True)) | {"unrelated": np.zeros(3)}
    dataset = read_files(write_arrays(tmp_path / place, arrays))
    for part, array in PARTS.items():
        assert np.array_equal(getattr(dataset, part), array)


def test_arrays_in_groups_named_as_a_set(tmp_path, write_arrays):
    arrays = {name.replace("_", "/"): array for name, array in PARTS.items()}
    dataset = read_files(write_arrays(tmp_path / "own.h5", arrays))
    assert np.array_equal(dataset.test_images, IMAGES[:3])


@pytest.mark.parametrize(
    ("suffix", "mended"),
    [
        (".npz", 'f = np.load("own.npz"); np.savez("own.npz", train_images=f["'),
        (".h5", 'f = h5py.File("own.h5"); np.savez("own.npz", train_images=f["'),
        ("", "mv OTHER.npy train_images.npy"),
    ],
)
@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"pixels": IMAGES, "y": LABELS}, ["the arrays train_images, found pixels, y"]),
        ({"x": IMAGES, "images": IMAGES, "y": LABELS}, ["one array for each part, found images and x"]),
        (
            {"x": IMAGES, "y": LABELS, **PARTS},
            ["the other would be passed over", "train_images, train_labels, x"],
        ),
        (
            {**PARTS, "val_images": IMAGES, "val_labels": LABELS},
            ["passed over", "test_labels, val_images, val_lab"],
        ),
        ({"x": IMAGES, "y": LABELS, "x_test": IMAGES}, ["the arrays test_labels, found x, x_test, y"]),
        ({"x": IMAGES, "y": LABELS, "val_y": LABELS}, ["the arrays test_images, found val_y, x, y"]),
    ],
)
def test_names_that_could_mean_two_things_are_refused(tmp_path, write_arrays, suffix, mended, arrays, words):
    path = write_arrays(tmp_path / f"own{suffix}", arrays)
    with pytest.raises(InputError) as refused:
        read_files(path)
    for word in (*words, str(path), mended):
        assert word in str(refused.value)


def test_what_a_file_says_of_its_arrays_is_read_as_from_memory(tmp_path, write_arrays):
    names = np.array([b"one", b"two", b"three"])
    floats = (IMAGES / 255).transpose(0, 3, 1, 2).astype(np.float32)
    arrays = {"images": floats, "labels": LABELS[:, None] + 1, "class_names": names}
    dataset = read_files(write_arrays(tmp_path / "own.npz", arrays))
    assert np.array_equal(dataset.train_images, IMAGES)
    assert np.array_equal(dataset.train_labels, LABELS)
    assert dataset.label_names == ("one", "two", "three")
