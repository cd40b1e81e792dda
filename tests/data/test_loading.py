import re
import subprocess
import sys

import numpy as np
import pytest

from deeptheory.data import DataOptions, Dataset, load, pack
from deeptheory.errors import InputError


@pytest.fixture
def dataset():
    images, labels = np.zeros((2, 4, 4, 1), np.uint8), np.array([0, 1])
    return Dataset("tiny", images, labels, images, labels, ("a", "b"))


def test_files_are_loaded_from_the_path(dataset, tmp_path):
    pack(dataset, tmp_path / "tiny.npz")
    loaded = load(DataOptions(source="files", path=str(tmp_path / "tiny.npz")))
    assert loaded.label_names == ("a", "b")


def test_another_data_set_than_the_options_describe_is_refused(dataset, tmp_path):
    path = str(tmp_path / "tiny.npz")
    pack(dataset, path)
    described = DataOptions(source="files", path=path, file_labels=2, file_size=4)
    assert load(described).n_labels == 2
    do = r"name the data set that the configuration is for, or change data\."
    for option, text in (
        ({"file_labels": 100}, f"expected 100 labels, found 2; {do}file_labels = 100"),
        ({"file_size": 32}, f"expected images of 32 x 32 pixels, found 4 x 4; {do}file_size = 32"),
    ):
        with pytest.raises(InputError, match=rf"data path .*tiny\.npz: {text}"):
            load(DataOptions(source="files", path=path, **option))


def test_files_without_a_path_are_refused():
    with pytest.raises(
        InputError, match=r"data\.path: expected the file or directory .*, found nothing; set data"
    ):
        load(DataOptions(source="files"))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("nowhere", "no such file or directory"),
        ("empty", "an empty directory; name the directory that holds them"),
        (".", r"empty, notes\.txt; name the directory that holds them"),
        ("notes.txt", "a file of another kind; unpack an archive and name its directory"),
    ],
)
def test_what_is_not_recognised_is_refused_with_the_layouts(tmp_path, name, found):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no data")
    text = (
        rf"data path {re.escape(str(tmp_path / name))}: expected one of: "
        rf"CIFAR-10 binary .*; CIFAR-100 binary .*; CIFAR-10 python .*; "
        rf"CIFAR-100 python .*; IDX .*; image folder .*; folder of texts .*; tables of texts .*; "
        rf"a file \.npz, \.h5, \.hdf5, \.csv, \.jsonl, found {found}"
    )
    with pytest.raises(InputError, match=text):
        load(DataOptions(source="files", path=str(tmp_path / name)))


def cifar_100_binary(path):
    path.mkdir()
    for name in ("train.bin", "test.bin"):
        (path / name).write_bytes(bytes(3074))
    (path / "fine_label_names.txt").write_text("apple\n")


def test_the_folder_of_an_official_archive_is_found_inside_the_path(tmp_path):
    cifar_100_binary(tmp_path / "cifar-100-binary")
    assert load(DataOptions(source="files", path=str(tmp_path))).name == "cifar-100"


def test_two_layouts_in_one_place_are_refused(tmp_path):
    cifar_100_binary(tmp_path / "cifar-100-binary")
    (tmp_path / "train").mkdir()
    text = (
        "expected one layout, found image folder .*; CIFAR-100 binary .* in .*cifar-100-binary; name the dir"
    )
    with pytest.raises(InputError, match=text):
        load(DataOptions(source="files", path=str(tmp_path)))


def test_a_file_of_arrays_beside_a_layout_is_refused_and_other_files_are_not(tmp_path):
    cifar_100_binary(tmp_path / "data")
    np.savez(tmp_path / "data" / "notes.npz", epochs=np.arange(3))
    (tmp_path / "data" / "damaged.npz").write_bytes(b"PK")
    options = DataOptions(source="files", path=str(tmp_path / "data"))
    assert load(options).name == "cifar-100"
    np.savez(tmp_path / "data" / "own.npz", x_train=np.zeros((2, 4, 4)), y_train=np.arange(2))
    text = r"expected one data set, found CIFAR-100 binary \(train.bin, test.bin\) and own.npz; name the file"
    with pytest.raises(InputError, match=text):
        load(options)
    (tmp_path / "data").rename(tmp_path / "cifar-100-binary")
    (tmp_path / "cifar-100-binary" / "own.npz").rename(tmp_path / "own.npz")
    with pytest.raises(InputError, match=text):
        load(DataOptions(source="files", path=str(tmp_path)))


def test_options_come_without_the_heavy_libraries():
    program = (
        "import sys, deeptheory.data; "
        "sys.exit(', '.join({'numba', 'h5py', 'matplotlib'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
