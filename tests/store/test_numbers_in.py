"""Numbers read the quick way are those that are read the other way, or none."""

import zlib

import h5py
import numpy as np
import pytest

from deeptheory.store import hdf5

TREE = {
    "number": 0.25,
    "integer": 3,
    "truth": True,
    "array": np.arange(600.0).reshape(20, 30),
    "mask": np.arange(600) % 3 == 0,
    "weights": np.ones((3, 4), np.float32),
    "text": "words",
    "texts": ["a", "b"],
    "group": {"number": 1.5},
    "large": np.zeros(20_000),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.h5"
    with hdf5.open_for_writing(path) as file:
        hdf5.write_tree(file, TREE)
    return path


def test_they_are_the_same(path):
    with hdf5.open_for_reading(path) as file:
        for name in ("number", "integer", "truth", "array", "mask", "weights", "group/number"):
            quick, slow = hdf5.numbers_in(file, name), hdf5.OpenFile(file).entry(name)
            np.testing.assert_array_equal(quick, slow)
            assert type(quick) is type(slow)
            assert np.asarray(quick).dtype == np.asarray(slow).dtype


@pytest.mark.parametrize("name", ["text", "texts", "group", "nothing", "group/nothing", "large"])
def test_what_is_no_number_is_left_to_the_other_way(path, name):
    with hdf5.open_for_reading(path) as file:
        assert hdf5.numbers_in(file, name) is None


def test_damage_and_data_without_a_checksum_are_left_to_the_other_way(path):
    with h5py.File(path, "r+") as file:
        file["number"][()] = 0.5
        del file["integer"].attrs[hdf5.CHECKSUM]
    with hdf5.open_for_reading(path) as file:
        assert hdf5.numbers_in(file, "number") is None
        assert hdf5.numbers_in(file, "integer") is None
        assert hdf5.numbers_in(file, "truth") is True


def test_nothing_is_read_from_other_files(path, tmp_path):
    (tmp_path / "raw").write_bytes(bytes(80))
    with h5py.File(path, "r+") as file, h5py.File(tmp_path / "other.h5", "w") as other:
        hdf5.write_tree(other, {"number": 1.0})
        file["linked"] = h5py.ExternalLink("other.h5", "number")
        outside = file.create_dataset("outside", (10,), float, external=[(tmp_path / "raw", 0, 80)])
        outside.attrs[hdf5.CHECKSUM] = np.uint32(zlib.crc32(bytes(80)))
        layout = h5py.VirtualLayout((10,), float)
        layout[:] = h5py.VirtualSource(tmp_path / "third.h5", "numbers", (10,))
        virtual = file.create_virtual_dataset("virtual", layout)
        virtual.attrs[hdf5.CHECKSUM] = np.uint32(zlib.crc32(bytes(80)))
    with hdf5.open_for_reading(path) as file:
        assert hdf5.numbers_in(file, "linked") is None
        assert hdf5.numbers_in(file, "outside") is None
        assert hdf5.numbers_in(file, "virtual") is None
