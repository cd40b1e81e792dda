"""CIFAR-10 and CIFAR-100 in their official layouts, binary and python."""

import reprlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.dataset import Dataset, Images, Labels
from deeptheory.data.files import checked_size, read_bytes
from deeptheory.data.pickle_reader import read_pickle
from deeptheory.errors import InputError

PIXELS = 3 * 32 * 32
BYTE = range(256)
BATCHES_10 = tuple(f"data_batch_{i}" for i in range(1, 6))
TEST_10 = "test_batch"


def is_binary_10(path: Path) -> bool:
    """Whether the directory holds any batch of the binary CIFAR-10."""
    return any((path / f"{name}.bin").is_file() for name in (*BATCHES_10, TEST_10))


def is_binary_100(path: Path) -> bool:
    """Whether the directory holds either file of the binary CIFAR-100."""
    return any((path / name).is_file() for name in ("train.bin", "test.bin"))


def is_python_10(path: Path) -> bool:
    """Whether the directory holds any batch of the python CIFAR-10."""
    return any((path / name).is_file() for name in (*BATCHES_10, TEST_10))


def is_python_100(path: Path) -> bool:
    """Whether the directory holds either pickle of the python CIFAR-100."""
    return any((path / name).is_file() for name in ("train", "test"))


def read_binary_10(path: Path, quiet: bool = False) -> Dataset:
    """Read data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt.

    Raises
    ------
    InputError
        A file is missing or its size is not a whole number of records of 1 + 3072 bytes, or the five
        batches differ in size.
    """
    del quiet  # it takes less than the two seconds from which progress is shown
    files = [_existing(path / f"{name}.bin") for name in BATCHES_10]
    sizes = {file: _size_of_records(file, 1, copies=2 * len(files)) for file in files}
    for file, size in sizes.items():
        if size != max(sizes.values()):
            found = f"{size} bytes"
            raise InputError(f"CIFAR file {file}", f"{max(sizes.values())} bytes, as the others", found)
    train = _join([_read_records(file, 1) for file in files])
    test = _read_records(path / f"{TEST_10}.bin", 1)
    return Dataset("cifar-10", *train, *test, _read_names(path / "batches.meta.txt"))


def read_binary_100(path: Path, quiet: bool = False) -> Dataset:
    """Read train.bin, test.bin and fine_label_names.txt; labels are the 100 fine ones.

    Raises
    ------
    InputError
        A file is missing or its size is not a whole number of records of 2 + 3072 bytes.
    """
    del quiet
    train, test = (_read_records(path / name, 2) for name in ("train.bin", "test.bin"))
    return Dataset("cifar-100", *train, *test, _read_names(path / "fine_label_names.txt"))


def read_python_10(path: Path, quiet: bool = False) -> Dataset:
    """Read data_batch_1 to data_batch_5, test_batch and batches.meta.

    Raises
    ------
    InputError
        A file is missing, damaged, or contains anything but plain numpy arrays.
    """
    del quiet
    train = _join([_read_batch(path / name, "labels") for name in BATCHES_10])
    test = _read_batch(path / TEST_10, "labels")
    return Dataset("cifar-10", *train, *test, _meta_names(path / "batches.meta", "label_names"))


def read_python_100(path: Path, quiet: bool = False) -> Dataset:
    """Read train, test and meta; labels are the 100 fine ones.

    Raises
    ------
    InputError
        A file is missing, damaged, or contains anything but plain numpy arrays.
    """
    del quiet
    train, test = (_read_batch(path / name, "fine_labels") for name in ("train", "test"))
    return Dataset("cifar-100", *train, *test, _meta_names(path / "meta", "fine_label_names"))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InputError(
            f"CIFAR file {path}", "the file", "no such file", "unpack the official archive again"
        )
    return path


def _join(parts: list[tuple[Images, Labels]]) -> tuple[Images, Labels]:
    images, labels = zip(*parts, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _images(pixels: NDArray[np.uint8]) -> Images:
    """Images (n, 32, 32, 3) from rows of 1024 red, 1024 green and 1024 blue values."""
    return np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def _read_records(path: Path, n_label_bytes: int) -> tuple[Images, Labels]:
    """Images and labels of records: label bytes, the last of them the fine label, then pixels."""
    _size_of_records(path, n_label_bytes, copies=2)
    records = np.fromfile(path, np.uint8).reshape(-1, n_label_bytes + PIXELS)
    return _images(records[:, n_label_bytes:]), records[:, n_label_bytes - 1].astype(np.int64)


def _size_of_records(path: Path, n_label_bytes: int, copies: int) -> int:
    """Bytes of a file, which must be whole records."""
    size = checked_size(_existing(path), "CIFAR file", copies)
    record = n_label_bytes + PIXELS
    if size == 0 or size % record:
        whole = max(round(size / record), 1)
        raise InputError(
            f"CIFAR file {path}",
            f"a whole number of records of {record} bytes (nearest: {whole * record} bytes)",
            f"{size} bytes",
            "unpack the official archive again",
        )
    return size


def _read_names(path: Path) -> tuple[str, ...]:
    return tuple(_decoded(path, read_bytes(_existing(path), "CIFAR file", copies=2)).split())


def _field(path: Path, content: dict[bytes | str, Any], key: str) -> Any:
    # The official files were written by Python 2: their keys load as bytes.
    for name in (key.encode(), key):
        if name in content:
            return content[name]
    found = reprlib.repr(list(content)) if content else "no entry"
    raise InputError(f"CIFAR file {path}", f"the entry '{key}'", found)


def _read_batch(path: Path, labels_key: str) -> tuple[Images, Labels]:
    content = read_pickle(_existing(path))
    pixels, labels = _field(path, content, "data"), _field(path, content, labels_key)
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (PIXELS,):
        found = f"{getattr(pixels, 'dtype', type(pixels).__name__)} {getattr(pixels, 'shape', '')}"
        raise InputError(f"CIFAR file {path}", f"'data' of uint8 (n, {PIXELS})", found)
    if not isinstance(labels, list) or not all(type(label) is int and label in BYTE for label in labels):
        raise InputError(
            f"CIFAR file {path}",
            f"'{labels_key}' a list of integers from 0 to 255",
            f"{type(labels).__name__}" + " of others" * isinstance(labels, list),
        )
    return _images(pixels), np.array(labels, np.int64)


def _meta_names(path: Path, key: str) -> tuple[str, ...]:
    names = _field(path, read_pickle(_existing(path)), key)
    if not isinstance(names, list) or not all(isinstance(name, bytes | str) for name in names):
        raise InputError(f"CIFAR file {path}", f"'{key}' a list of names", f"{type(names).__name__}")
    return tuple(_decoded(path, name) if isinstance(name, bytes) else name for name in names)


def _decoded(path: Path, text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"other bytes ({error})"
        raise InputError(f"CIFAR file {path}", "names in UTF-8", found, "unpack the archive again") from error
