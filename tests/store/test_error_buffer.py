"""What HDF5 sees of a disk that fails: a file that holds all that was written."""

import errno
import io

import h5py
import numpy as np
import pytest

from deeptheory.store.error_buffer import Disk


class Full(io.FileIO):
    """A file on a disk with room for so many bytes."""

    def __init__(self, path, room):
        super().__init__(path, "wb+")
        self.room = room

    def write(self, data):
        fits = memoryview(data)[: max(0, self.room - self.tell())]
        if not fits.nbytes:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(fits)


@pytest.fixture(params=[0, 1, 100, 2048, 5000])
def full(request, tmp_path):
    path = tmp_path / "file"
    with Full(path, request.param) as raw:
        yield Disk(raw, path)


def read(disk, size):
    buffer = bytearray(b"x" * size)
    disk.seek(0)
    assert disk.readinto(buffer) == size
    return buffer


def test_what_did_not_fit_is_read_back(full):
    array = np.random.default_rng(0).normal(size=1000)
    with h5py.File(full, "w") as file:
        file["group/first"] = array
        file.flush()
        assert np.array_equal(file["group/first"][()], array)
    with h5py.File(full, "r+") as file:
        file["group/second"] = 2 * array
    with h5py.File(full, "r") as file:
        assert np.array_equal(file["group/first"][()], array)
        assert np.array_equal(file["group/second"][()], 2 * array)
    assert full.error.errno == errno.ENOSPC
    assert full.error.filename == str(full.path)


def test_a_write_that_ends_halfway_is_whole(full):
    text = bytes(range(256)) * 40
    assert full.write(text) == len(text)
    assert full.tell() == len(text)
    assert read(full, len(text)) == text


def test_beyond_the_end_are_zeros(full):
    full.write(b"five.")
    assert read(full, 8) == b"five.\0\0\0"


def test_the_first_error_is_kept(full):
    full.write(bytes(8192))
    first = full.error
    full.write(bytes(8192))
    full.truncate(10)
    assert full.error is first
