import h5py
import numpy as np
import pytest

from deeptheory.data import Dataset, pack, read_archive, read_files
from deeptheory.errors import InputError


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 4, 3, 3), dtype=np.uint8)
    labels = np.array([0, 1, 2, 0, 1, 2])
    return Dataset("tiny", images, labels, images[:2], labels[:2], ("one", "zwei", "три"))


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".hdf5"])
def test_what_is_packed_comes_back(dataset, tmp_path, suffix):
    path = tmp_path / f"tiny{suffix}"
    pack(dataset, path)
    back = read_files(path)
    assert back.name == path.name
    assert back.label_names == dataset.label_names
    for part in ("train_images", "train_labels", "test_images", "test_labels"):
        assert np.array_equal(getattr(back, part), getattr(dataset, part))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_a_data_set_without_a_test_set_comes_back(dataset, tmp_path, suffix):
    path = tmp_path / f"tiny{suffix}"
    pack(
        Dataset(
            "tiny",
            dataset.train_images,
            dataset.train_labels,
            dataset.test_images[:0],
            dataset.test_labels[:0],
            dataset.label_names,
        ),
        path,
    )
    assert read_archive(path).test_images.shape == (0, 4, 3, 3)


def test_grey_images_without_names_and_test_set(tmp_path):
    path = tmp_path / "grey.npz"
    np.savez(path, train_images=np.zeros((2, 4, 3), np.uint8), train_labels=np.array([0, 2], np.uint8))
    dataset = read_archive(path)
    assert dataset.input_shape == (4, 3, 1)
    assert dataset.label_names == ("0", "2")
    assert len(dataset.test_labels) == 0


@pytest.mark.parametrize(("suffix", "kind"), [(".npz", r"\.npz"), (".h5", "HDF5")])
def test_a_truncated_file_is_refused(dataset, tmp_path, suffix, kind):
    path = tmp_path / f"tiny{suffix}"
    pack(dataset, path)
    path.write_bytes(path.read_bytes()[:300])
    text = (
        rf"data file .*tiny{suffix}: expected a complete {kind} file .*, found 300 bytes that cannot be read"
    )
    with pytest.raises(InputError, match=text):
        read_archive(path)


def test_a_pickled_array_is_refused(tmp_path):
    path = tmp_path / "pickled.npz"
    np.savez(path, train_images=np.array([{}], dtype=object), train_labels=np.zeros(1, np.int64))
    with pytest.raises(InputError, match=r"'train_images' in .*: expected numbers or texts, found object"):
        read_archive(path)


def test_a_group_in_place_of_an_array_is_refused(tmp_path):
    path = tmp_path / "group.h5"
    with h5py.File(path, "w") as file:
        file.create_group("train_images")
        file["train_labels"] = np.zeros(1, np.int64)
    with pytest.raises(
        InputError, match=r"'train_images' in .*group\.h5: expected an array, found a group of 0 entries"
    ):
        read_archive(path)


def test_missing_arrays_are_named(tmp_path):
    path = tmp_path / "part.h5"
    with h5py.File(path, "w") as file:
        file["train_images"] = np.zeros((1, 2, 2), np.uint8)
        file["test_images"] = np.zeros((1, 2, 2), np.uint8)
    text = "part.h5: expected the arrays train_labels, test_labels, found test_images, train_images"
    with pytest.raises(InputError, match=text):
        read_archive(path)


def test_labels_that_are_no_integers_are_refused(tmp_path):
    path = tmp_path / "float.npz"
    np.savez(path, train_images=np.zeros((1, 2, 2), np.uint8), train_labels=np.full(1, 0.5))
    with pytest.raises(InputError, match=r"labels of 'float\.npz': expected one whole number .*, found 0\.5"):
        read_archive(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"data file .*none\.npz: expected a file, found no such file"):
        read_archive(tmp_path / "none.npz")


def test_pack_refuses_other_names_and_directories(dataset, tmp_path):
    with pytest.raises(InputError, match=r"expected a name that ends in \.npz, \.h5, \.hdf5, found '\.zip'"):
        pack(dataset, tmp_path / "tiny.zip")
    text = r"data file .*tiny\.npz: expected a directory that can be written to, found .*No such file"
    with pytest.raises(InputError, match=text):
        pack(dataset, tmp_path / "missing" / "tiny.npz")


def test_a_failed_write_leaves_the_old_file(dataset, tmp_path, monkeypatch):
    path = tmp_path / "tiny.npz"
    pack(dataset, path)
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(InputError, match="no space left on device"):
        pack(dataset, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("label", [10**15, 10**6])
def test_labels_that_are_numbers_of_another_kind_are_refused(tmp_path, label):
    np.savez(tmp_path / "a.npz", train_images=np.zeros((1, 2, 2), np.uint8), train_labels=np.array([label]))
    with pytest.raises(InputError, match=rf"'a.npz': expected labels below 1000000, found label {label};"):
        read_archive(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (np.array("one"), "found 0 axes"),
        (np.array([["a", "b"]]), "found 2 axes"),
        (np.full(1, 0x7FFFFFFF, np.uint32).view("U1"), "expected texts, found"),
        (np.array(["\ud800"]), r"expected text in UTF-8, found '\\ud800'; rename it"),
    ],
)
def test_names_that_are_no_texts_are_refused(tmp_path, names, found):
    images, labels = np.zeros((1, 2, 2), np.uint8), np.zeros(1, np.int64)
    np.savez(tmp_path / "a.npz", train_images=images, train_labels=labels, label_names=names)
    with pytest.raises(InputError, match=found):
        read_archive(tmp_path / "a.npz")


def test_one_text_in_place_of_a_list_of_names_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["train_images"], file["train_labels"] = np.zeros((1, 2, 2), np.uint8), np.zeros(1, np.int64)
        file["label_names"] = "abc"
    with pytest.raises(InputError, match="one text for each label, along one axis, found one text"):
        read_archive(tmp_path / "a.h5")
