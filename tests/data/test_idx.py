import gzip
import struct

import numpy as np
import pytest

from deeptheory.data import read_files
from deeptheory.errors import InputError


def idx_bytes(array):
    return struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def content(n, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 5, 4), dtype=np.uint8), np.arange(n, dtype=np.uint8) % 3


@pytest.fixture(params=["plain", "gz", "dots"])
def directory(request, tmp_path):
    for seed, split in enumerate(["train", "t10k"]):
        for kind, array in zip(("images-idx3", "labels-idx1"), content(6 - seed, seed), strict=True):
            name = f"{split}-{kind}-ubyte"
            if request.param == "gz":
                (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
            else:
                name = name.replace("-idx", ".idx") if request.param == "dots" else name
                (tmp_path / name).write_bytes(idx_bytes(array))
    return tmp_path


@pytest.fixture
def plain(tmp_path):
    for split in ("train", "t10k"):
        for kind, array in zip(("images-idx3", "labels-idx1"), content(6, 0), strict=True):
            (tmp_path / f"{split}-{kind}-ubyte").write_bytes(idx_bytes(array))
    return tmp_path


def test_idx(directory):
    dataset = read_files(directory)
    for seed, images, labels in (
        (0, dataset.train_images, dataset.train_labels),
        (1, dataset.test_images, dataset.test_labels),
    ):
        expected_images, expected_labels = content(6 - seed, seed)
        assert np.array_equal(images[..., 0], expected_images)
        assert np.array_equal(labels, expected_labels)
    assert dataset.label_names == ("0", "1", "2")


def test_a_missing_file_is_named(plain):
    (plain / "t10k-labels-idx1-ubyte").unlink()
    text = r"IDX file .*t10k-labels-idx1-ubyte: expected the file, plain or with \.gz, found no such file"
    with pytest.raises(InputError, match=text):
        read_files(plain)


@pytest.mark.parametrize(
    ("cut", "text"),
    [
        (
            -1,
            r"train-images-idx3-ubyte: expected 136 bytes \(header and 6 x 5 x 4\), found 135 bytes; ",
        ),
        (10, "train-images-idx3-ubyte: expected at least 16 bytes, found 10 bytes"),
    ],
)
def test_a_truncated_file_is_refused(plain, cut, text):
    file = plain / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(InputError, match=text):
        read_files(plain)


def test_another_kind_of_file_is_refused(plain):
    file = plain / "train-images-idx3-ubyte"
    file.write_bytes((plain / "train-labels-idx1-ubyte").read_bytes() + bytes(8))
    with pytest.raises(
        InputError, match=r"expected magic number 2051 \(unsigned bytes, 3 axes\), found 2049"
    ):
        read_files(plain)


def test_a_truncated_gzip_file_is_refused(plain):
    file = plain / "train-images-idx3-ubyte"
    packed = gzip.compress(file.read_bytes())
    file.unlink()
    (plain / "train-images-idx3-ubyte.gz").write_bytes(packed[:-12])
    found = f"{len(packed) - 12} bytes that do not decompress"
    with pytest.raises(InputError, match=rf"idx3-ubyte\.gz: expected a complete gzip file, found {found}"):
        read_files(plain)


def test_labels_and_images_of_different_number_are_refused(plain):
    (plain / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(5, np.uint8)))
    with pytest.raises(InputError, match=r"training images of .*: expected 6 labels, .*, found 5 labels"):
        read_files(plain)


def test_what_unpacks_to_more_than_it_says_is_not_unpacked(plain):
    file = plain / "train-images-idx3-ubyte"
    content = file.read_bytes()
    file.unlink()
    (plain / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content + bytes(10**7)))
    with pytest.raises(
        InputError, match=r"expected 136 bytes .*, found 137 bytes or more; download it again"
    ):
        read_files(plain)


def test_a_shape_larger_than_the_memory_is_refused_unread(plain):
    file = plain / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:4] + b"\xff" * 12)
    with pytest.raises(InputError, match=r"idx3-ubyte: expected at most 80 % of the free memory"):
        read_files(plain)
