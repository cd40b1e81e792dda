import numpy as np
import pytest
from PIL import Image

from deeptheory.data import folder as folder_module
from deeptheory.data import read_files
from deeptheory.errors import InputError


def picture(seed, mode="RGB", size=(5, 4)):
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def directory(tmp_path):
    for seed, name in enumerate(["train/cat/a", "train/cat/b", "train/dog/a", "test/dog/z"]):
        save(tmp_path / f"{name}.png", picture(seed))
    return tmp_path


def test_folder(directory):
    (directory / "train" / "cat" / "notes.txt").write_text("passed over")
    (directory / "train" / ".hidden").mkdir()
    dataset = read_files(directory)
    assert dataset.label_names == ("cat", "dog")
    assert np.array_equal(dataset.train_images, [picture(seed) for seed in range(3)])
    assert np.array_equal(dataset.train_labels, [0, 0, 1])
    assert np.array_equal(dataset.test_images, [picture(3)])
    assert np.array_equal(dataset.test_labels, [1])


def test_grey_images_without_a_test_set(tmp_path):
    for label in "abc":
        save(tmp_path / "train" / label / "0.png", picture(ord(label), "L"))
    dataset = read_files(tmp_path)
    assert dataset.input_shape == (4, 5, 1)
    assert np.array_equal(dataset.train_images[1, ..., 0], picture(ord("b"), "L"))
    assert dataset.test_images.shape == (0, 4, 5, 1)


def test_more_files_than_one_task_takes(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module, "CHUNK", 2)
    for seed in range(7):
        save(tmp_path / "train" / "a" / f"{seed}.png", picture(seed))
    assert np.array_equal(read_files(tmp_path).train_images, [picture(seed) for seed in range(7)])


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (picture(9, size=(4, 4)), "4 x 4 pixels of mode RGB"),
        (picture(9, "L"), "5 x 4 pixels of mode L"),
    ],
)
def test_an_image_of_another_size_or_mode_is_named(directory, array, found):
    save(directory / "train" / "dog" / "odd.png", array)
    text = (
        rf"image .*odd\.png: expected 5 x 4 pixels of mode RGB, as .*a\.png, found {found}; bring all images"
    )
    with pytest.raises(InputError, match=text):
        read_files(directory)


def test_an_image_with_transparency_is_refused(tmp_path):
    save(tmp_path / "train" / "a" / "0.png", np.zeros((4, 4, 4), np.uint8))
    with pytest.raises(
        InputError, match=r"0\.png: expected mode L \(grey\) or RGB, found mode RGBA; convert it"
    ):
        read_files(tmp_path)


def test_a_damaged_image_is_named(directory):
    file = directory / "test" / "dog" / "z.png"
    file.write_bytes(file.read_bytes()[:60])
    text = r"image .*z\.png: expected a complete image file, found 60 bytes that do not decode"
    with pytest.raises(InputError, match=text):
        read_files(directory)


def test_a_test_label_that_train_lacks_is_refused(directory):
    save(directory / "test" / "frog" / "0.png", picture(0))
    with pytest.raises(InputError, match=r"folder .*frog: expected a label that train has too, found 'frog'"):
        read_files(directory)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "train" / "cat").mkdir(parents=True)
    with pytest.raises(
        InputError, match=r"folder .*train: expected LABEL/FILE with suffix .*\.png.*, found no im"
    ):
        read_files(tmp_path)
