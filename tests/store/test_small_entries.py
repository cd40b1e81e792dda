"""What is read the quick way is what is read the other way, or nothing."""

import os
import zlib

import h5py
import numpy as np
import pytest

from deeptheory.store import hdf5, small_entries
from deeptheory.store.hdf5_reading import CHECKSUM
from deeptheory.store.small_entries import SmallEntries, file_has

TREE = {
    "number": 0.25,
    "integer": 3,
    "truth": True,
    "array": np.arange(600.0).reshape(20, 30),
    "mask": np.arange(600) % 3 == 0,
    "weights": np.ones((3, 4), np.float32),
    "text": "words",
    "empty": "",
    "texts": ["a", "\N{GREEK SMALL LETTER ALPHA}"],
    "group": {"number": 1.5},
    "large": np.zeros(20_000),
    "long": "x" * 70_000,
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.h5"
    with hdf5.open_for_writing(path) as file:
        hdf5.write_tree(file, TREE)
    return path


def test_they_are_the_same(path, monkeypatch):
    names = [name for name in TREE if name not in ("group", "large", "long")]
    with hdf5.open_for_reading(path) as file:
        found = {name: hdf5.OpenFile(file).small_entry(name) for name in (*names, "group/number")}
        monkeypatch.setattr(SmallEntries, "read", lambda self, path: None)
        for name, quick in found.items():
            slow = hdf5.OpenFile(file).entry(name)
            np.testing.assert_array_equal(quick, slow)
            assert type(quick) is type(slow)
            assert np.asarray(quick).dtype == np.asarray(slow).dtype


def test_every_link_is_looked_at_once(path, monkeypatch):
    looked, own = [], small_entries._own
    monkeypatch.setattr(small_entries, "_own", lambda group, name: looked.append(name) or own(group, name))
    with hdf5.open_for_reading(path) as file:
        opened = hdf5.OpenFile(file)
        assert [opened.read_number("group/number") for _ in range(3)] == [1.5] * 3
    assert looked == ["group", "number", "number", "number"]


@pytest.mark.parametrize(
    "name", ["group", "nothing", "group/nothing", "number/nothing", "large", "long", "", "/"]
)
def test_what_is_large_or_no_data_set_is_left_to_the_other_way(path, name):
    with hdf5.open_for_reading(path) as file:
        assert hdf5.OpenFile(file).small_entry(name) is None


def test_damage_and_data_without_a_checksum_are_left_to_the_other_way(path):
    with h5py.File(path, "r+") as file:
        file["number"][()] = 0.5
        file["text"][()] = "other words"
        del file["integer"].attrs[CHECKSUM]
    with hdf5.open_for_reading(path) as file:
        assert hdf5.OpenFile(file).small_entry("number") is None
        assert hdf5.OpenFile(file).small_entry("text") is None
        assert hdf5.OpenFile(file).small_entry("integer") is None
        assert hdf5.OpenFile(file).small_entry("truth") is True


def test_what_becomes_large_or_has_two_names_is_left_to_the_other_way(path):
    with h5py.File(path, "r+") as file:
        chunk = file.create_dataset(
            "chunk", (10,), "u1", maxshape=(None,), chunks=(1 << 20,), compression="gzip"
        )
        chunk.attrs[CHECKSUM] = np.uint32(zlib.crc32(bytes(10)))
        file["other name"] = file["number"]
    with hdf5.open_for_reading(path) as file:
        for name in ("chunk", "number", "other name"):
            assert hdf5.OpenFile(file).small_entry(name) is None
        assert hdf5.OpenFile(file).small_entry("mask").shape == (600,)


def test_nothing_is_read_from_other_files(path, tmp_path):
    (tmp_path / "raw").write_bytes(bytes(80))
    os.mkfifo(tmp_path / "pipe.h5")  # which would be waited for
    with h5py.File(path, "r+") as file, h5py.File(tmp_path / "other.h5", "w") as other:
        hdf5.write_tree(other, {"number": 1.0})
        file["linked"] = h5py.ExternalLink("other.h5", "number")
        file["pipe"] = h5py.ExternalLink("pipe.h5", "/")
        file["symbolic"] = h5py.SoftLink("/number")
        outside = file.create_dataset("outside", (10,), float, external=[(tmp_path / "raw", 0, 80)])
        outside.attrs[CHECKSUM] = np.uint32(zlib.crc32(bytes(80)))
        layout = h5py.VirtualLayout((10,), float)
        layout[:] = h5py.VirtualSource(tmp_path / "third.h5", "numbers", (10,))
        virtual = file.create_virtual_dataset("virtual", layout)
        virtual.attrs[CHECKSUM] = np.uint32(zlib.crc32(bytes(80)))
    with hdf5.open_for_reading(path) as file:
        assert hdf5.OpenFile(file).small_entry("linked") is None
        assert hdf5.OpenFile(file).small_entry("pipe/number") is None
        assert hdf5.OpenFile(file).small_entry("symbolic") is None
        assert hdf5.OpenFile(file).small_entry("outside") is None
        assert hdf5.OpenFile(file).small_entry("virtual") is None


def test_a_file_is_asked_for_an_entry(path, tmp_path):
    assert file_has(str(path), "group/number")
    assert not file_has(str(path), "group/nothing")
    assert not file_has(str(tmp_path / "none.h5"), "group")
    path.write_bytes(path.read_bytes()[:100])
    assert not file_has(str(path), "group/number")
