import os

import numpy as np
import pytest
from PIL import Image

from deeptheory.data import folder as folder_module
from deeptheory.data import read_files
from deeptheory.errors import InputError
from deeptheory.system import memory


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


def test_an_image_of_another_size_is_named(directory):
    save(directory / "train" / "dog" / "odd.png", picture(9, size=(4, 4)))
    text = (
        r"image .*odd\.png: expected 5 x 4 pixels, as .*a\.png, found 4 x 4 pixels; bring all images to one "
        r"size, for example by data\.resize"
    )
    with pytest.raises(InputError, match=text):
        read_files(directory)


def test_a_damaged_image_is_named(directory):
    file = directory / "test" / "dog" / "z.png"
    file.write_bytes(file.read_bytes()[:60])
    text = r"image .*z\.png: expected a complete image file, in .*, found 60 bytes that do not decode"
    with pytest.raises(InputError, match=text):
        read_files(directory)


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 4\n%%EndComments\nshowpage\n%%EOF\n"


def test_a_format_that_starts_a_program_is_refused_unread(directory, monkeypatch):
    (directory / "train" / "dog" / "b.png").write_bytes(POSTSCRIPT)
    Image.open(directory / "train" / "dog" / "b.png").close()  # Pillow alone takes it by its content

    def started(*_, **__):
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen", started)
    text = (
        r"image .*b\.png: expected a complete image file, in BMP, .*WEBP, found .*; take it out of the folder"
    )
    with pytest.raises(InputError, match=text):
        read_files(directory)


def test_what_is_no_file_is_refused_unopened(directory):
    os.mkfifo(directory / "train" / "dog" / "b.png")
    text = r"image .*b\.png: expected a file, found a directory, a device, or a pipe"
    with pytest.raises(InputError, match=text):
        read_files(directory)


def test_images_of_too_many_pixels_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    path = tmp_path / "train" / "a" / "0.pgm"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"P5 8192 4096 255\n" + bytes(100))
    text = r"0\.pgm: expected at most 16777216 pixels, found 8192 x 4096; scale"
    with pytest.raises(InputError, match=text):
        read_files(tmp_path)


@pytest.mark.parametrize("size", [b"12000 12000", b"60000 60000"])
def test_a_later_image_that_is_larger_is_refused_before_it_is_decoded(directory, size):
    (directory / "train" / "dog" / "b.ppm").write_bytes(b"P6 " + size + b" 255\n" + bytes(100))
    with pytest.raises(InputError, match=r"image .*b\.ppm: expected .*, found .*(pixels|bomb)"):
        read_files(directory)


def test_no_image_becomes_larger_than_any_may_be(directory):
    with pytest.raises(InputError, match=r"^data\.resize: expected 0 to 4096 pixels, found 4097$"):
        read_files(directory, resize=4097)


def test_more_images_than_the_memory_are_refused(directory, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 100)
    with pytest.raises(InputError, match=r"4 images below .*: expected at most 80 % of the free memory"):
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


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_set_is_the_test_set_where_there_is_no_other(directory, name):
    (directory / "test").rename(directory / name)
    dataset = read_files(directory)
    assert np.array_equal(dataset.test_images, [picture(3)])
    assert np.array_equal(dataset.test_labels, [1])


@pytest.mark.parametrize("name", ["val", "evaluation", "Test"])
def test_a_folder_of_images_that_would_be_passed_over_is_refused(directory, name):
    save(directory / name / "cat" / "0.png", picture(0))
    text = rf"folder .*: expected train and one of test, val.*, found train, test, {name}; .*: mv .*/{name} OTHER"
    with pytest.raises(InputError, match=text):
        read_files(directory)


def test_other_folders_are_passed_over(directory):
    save(directory / "figures" / "0.png", picture(0))
    assert len(read_files(directory).test_images) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "train/0.png",
            r"image .*train/0\.png: expected train/LABEL/FILE, found no label; .*: mv .*/train/LABEL$",
        ),
        ("test/0.png", r"image .*test/0\.png: expected test/LABEL/FILE"),
        (
            "train/cat/more/0.png",
            r"folder .*cat: expected files, found a folder 'more'.*; .*: mv .*more/\* .*cat$",
        ),
    ],
)
def test_images_in_the_wrong_place_are_refused(directory, name, text):
    save(directory / name, picture(0))
    with pytest.raises(InputError, match=text):
        read_files(directory)
