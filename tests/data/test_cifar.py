import io
import pickle

import numpy as np
import pytest

from deeptheory.data import read_files
from deeptheory.errors import InputError

TEN = ("airplane", "automobile", "bird")
BATCHES = [f"data_batch_{i}" for i in range(1, 6)]


def pixels(n, seed):
    """Rows of 1024 red, 1024 green, 1024 blue values."""
    return np.random.default_rng(seed).integers(0, 256, (n, 3072), dtype=np.uint8)


def as_images(rows):
    """The layout spelled out pixel by pixel."""
    images = np.empty((len(rows), 32, 32, 3), np.uint8)
    for y in range(32):
        for x in range(32):
            for c in range(3):
                images[:, y, x, c] = rows[:, c * 1024 + y * 32 + x]
    return images


def old_pickle(content):
    """A pickle as Python 2 and a numpy before 2 wrote it: strings of bytes, the old name of the module."""
    return pickle.dumps(content, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


@pytest.fixture
def binary_10(tmp_path):
    for seed, name in enumerate([*BATCHES, "test_batch"]):
        records = np.concatenate([np.array([[seed % 3], [2]], np.uint8), pixels(2, seed)], axis=1)
        (tmp_path / f"{name}.bin").write_bytes(records.tobytes())
    (tmp_path / "batches.meta.txt").write_text("\n".join(TEN) + "\n\n")
    return tmp_path


@pytest.fixture
def python_10(tmp_path):
    for seed, name in enumerate([*BATCHES, "test_batch"]):
        content = {b"batch_label": b"batch", b"labels": [seed % 3, 2], b"data": pixels(2, seed)}
        (tmp_path / name).write_bytes(old_pickle(content))
    meta = {b"num_cases_per_batch": 2, b"label_names": [name.encode() for name in TEN], b"num_vis": 3072}
    (tmp_path / "batches.meta").write_bytes(old_pickle(meta))
    return tmp_path


@pytest.fixture
def binary_100(tmp_path):
    for seed, name in enumerate(["train.bin", "test.bin"]):
        coarse_and_fine = np.array([[1, 0], [0, 3]], np.uint8)
        (tmp_path / name).write_bytes(np.concatenate([coarse_and_fine, pixels(2, seed)], axis=1).tobytes())
    (tmp_path / "fine_label_names.txt").write_text("apple\naquarium_fish\nbaby\nbear\n")
    (tmp_path / "coarse_label_names.txt").write_text("fish\nfruit\n")
    return tmp_path


@pytest.fixture
def python_100(tmp_path):
    for seed, name in enumerate(["train", "test"]):
        content = {b"fine_labels": [0, 3], b"coarse_labels": [1, 0], b"data": pixels(2, seed)}
        (tmp_path / name).write_bytes(old_pickle(content))
    meta = {
        b"fine_label_names": [b"apple", b"aquarium_fish", b"baby", b"bear"],
        b"coarse_label_names": [b"fish"],
    }
    (tmp_path / "meta").write_bytes(old_pickle(meta))
    return tmp_path


@pytest.mark.parametrize("layout", ["binary_10", "python_10"])
def test_cifar_10(layout, request):
    dataset = read_files(request.getfixturevalue(layout))
    assert dataset.name == "cifar-10"
    assert dataset.label_names == TEN
    assert np.array_equal(
        dataset.train_images, as_images(np.concatenate([pixels(2, seed) for seed in range(5)]))
    )
    assert np.array_equal(dataset.train_labels, [0, 2, 1, 2, 2, 2, 0, 2, 1, 2])
    assert np.array_equal(dataset.test_images, as_images(pixels(2, 5)))
    assert np.array_equal(dataset.test_labels, [2, 2])


@pytest.mark.parametrize("layout", ["binary_100", "python_100"])
def test_cifar_100_gives_the_fine_labels(layout, request):
    dataset = read_files(request.getfixturevalue(layout))
    assert dataset.name == "cifar-100"
    assert dataset.label_names == ("apple", "aquarium_fish", "baby", "bear")
    assert np.array_equal(dataset.train_labels, [0, 3])
    assert np.array_equal(dataset.test_images, as_images(pixels(2, 1)))


def test_keys_written_by_python_3_are_read_too(python_100):
    content = {"fine_labels": [1, 2], "data": pixels(2, 9)}
    (python_100 / "train").write_bytes(pickle.dumps(content, protocol=4))
    assert np.array_equal(read_files(python_100).train_labels, [1, 2])


@pytest.mark.parametrize("layout", ["binary_10", "python_10"])
def test_a_missing_batch_is_named(layout, request):
    path = request.getfixturevalue(layout)
    suffix = ".bin" if layout == "binary_10" else ""
    (path / f"data_batch_4{suffix}").unlink()
    text = rf"CIFAR file .*data_batch_4{suffix}: expected the file, found no such file; unpack the official"
    with pytest.raises(InputError, match=text):
        read_files(path)


def test_a_truncated_binary_batch_is_refused(binary_10):
    batch = binary_10 / "data_batch_3.bin"
    whole = batch.read_bytes()
    text = (
        r"data_batch_3\.bin: expected a whole number of records of 3073 bytes \(nearest: 6146 bytes\), found"
    )
    for damaged in (whole[:-1], whole + b"\0"):
        batch.write_bytes(damaged)
        with pytest.raises(InputError, match=text):
            read_files(binary_10)
    batch.write_bytes(whole[:3073])
    with pytest.raises(
        InputError, match=r"data_batch_3\.bin: expected 6146 bytes, as the others, found 3073"
    ):
        read_files(binary_10)
    test = binary_10 / "test_batch.bin"
    batch.write_bytes(whole)
    test.write_bytes(test.read_bytes()[:-10])
    text = r"test_batch\.bin: expected a whole number of records of 3073 bytes \(nearest: 6146 bytes\), found"
    with pytest.raises(InputError, match=text):
        read_files(binary_10)


def test_an_empty_binary_file_is_refused(binary_100):
    (binary_100 / "test.bin").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"test\.bin: expected a whole number of records of 3074 .*found 0 by"
    ):
        read_files(binary_100)


def test_a_label_without_a_name_is_refused(binary_10):
    (binary_10 / "batches.meta.txt").write_text("airplane\nautomobile\n")
    text = r"training labels of 'cifar-10': expected labels in 0\.\.1, found label 2 at image 1 and 5 more"
    with pytest.raises(InputError, match=text):
        read_files(binary_10)


def test_a_truncated_pickle_is_refused(python_10):
    batch = python_10 / "data_batch_2"
    size = batch.stat().st_size
    batch.write_bytes(batch.read_bytes()[: size // 2])
    text = rf"pickle .*data_batch_2: expected a complete pickle, found {size // 2} bytes that cannot be read"
    with pytest.raises(InputError, match=text):
        read_files(python_10)


class Malicious:
    """Creates a file when it is unpickled by an unrestricted reader."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_malicious_pickle_is_refused_and_runs_nothing(python_10, tmp_path):
    trace = tmp_path / "trace"
    (python_10 / "data_batch_1").write_bytes(old_pickle({b"data": Malicious(trace)}))
    text = (
        r"pickle .*data_batch_1: expected plain numpy arrays, lists and dictionaries, "
        r"found a request for (io|_io|__builtin__)\.open, which was refused; do not trust this file"
    )
    with pytest.raises(InputError, match=text):
        read_files(python_10)
    assert not trace.exists()
    pickle.load(io.BytesIO((python_10 / "data_batch_1").read_bytes()))[b"data"].close()
    assert trace.exists()  # the same bytes do harm an unrestricted reader


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([1, 2], r"train: expected a pickled dictionary, found a list"),
        ({b"fine_labels": [0]}, r"train: expected the entry 'data', found \[b'fine_labels'\]"),
        ({b"data": [1], b"fine_labels": [0]}, r"train: expected 'data' of uint8 \(n, 3072\), found list"),
        (
            {b"data": np.zeros((1, 3071), np.uint8), b"fine_labels": [0]},
            r"train: expected 'data' of uint8 \(n, 3072\), found uint8 \(1, 3071\)",
        ),
        (
            {b"data": np.zeros((1, 3072), np.uint8), b"fine_labels": [b"x"]},
            "train: expected 'fine_labels' a list of integers from 0 to 255, found list of others",
        ),
        (
            {b"data": np.zeros((2, 3072), np.uint8), b"fine_labels": [0]},
            r"training labels of 'cifar-100': expected int64 of shape \(2,\)",
        ),
    ],
)
def test_a_pickle_of_another_content_is_refused(python_100, content, text):
    (python_100 / "train").write_bytes(old_pickle(content))
    with pytest.raises(InputError, match=text):
        read_files(python_100)


def test_names_of_another_type_are_refused(python_100):
    (python_100 / "meta").write_bytes(old_pickle({b"fine_label_names": [1, 2]}))
    with pytest.raises(InputError, match="meta: expected 'fine_label_names' a list of names, found list"):
        read_files(python_100)
