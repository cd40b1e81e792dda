"""Entries that lie outside of their file, within themselves, or are larger than memory are refused unread."""

import os

import h5py
import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.store import hdf5, hdf5_reading, integrity
from deeptheory.store.hdf5_reading import CHECKSUM
from deeptheory.system import memory


@pytest.fixture
def outside(tmp_path):
    """A file that nothing may open: whoever does waits for ever."""
    os.mkfifo(tmp_path / "outside")
    return "outside"


def virtual(file, outside):
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource(outside, "x", (4,))
    file.create_virtual_dataset("entry", layout)


def external(file, outside):
    file.create_dataset("entry", (4,), "u1", external=[(outside, 0, 4)])


def link(file, outside):
    file["entry"] = h5py.ExternalLink(outside, "/x")


def link_through_a_link(file, outside):
    file["other"] = h5py.ExternalLink(outside, "/x")
    file["entry"] = h5py.SoftLink("/other")


def references(file, outside):
    file["entry"] = np.array([file.ref], dtype=h5py.ref_dtype)


def named_type(file, outside):
    file["entry"] = np.dtype("f4")


def itself(file, outside):
    file["entry/inner"] = file.create_group("entry")


def unknown_filter(file, outside):
    file.create_dataset("entry", (16,), "f4", chunks=(16,), scaleoffset=2)


REFUSED = {
    virtual: "numbers that this file holds, found a virtual data set, which is read from other files",
    external: "numbers that this file holds, found external storage, which is read from other files",
    link: "an entry of its own, found an external link to '/x'",
    link_through_a_link: "an entry of its own, found a symbolic link to '/other'",
    references: "numbers, or a list of texts, found object",
    named_type: "a data set, found a group or a type",
    itself: "an entry of its own, found one with several names",
    unknown_filter: "no filter but gzip, shuffle, fletcher32, lzf, found number 6",
}


@pytest.fixture(params=REFUSED, ids=lambda make: make.__name__)
def refused(request, tmp_path, outside):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        request.param(file, outside)
    return tmp_path / "file.h5", REFUSED[request.param]


@pytest.mark.parametrize("path", ["/", "entry"])
def test_what_is_not_in_the_file_is_refused_unread(refused, path):
    with hdf5.open_for_reading(refused[0]) as file, pytest.raises(InputError) as error:
        hdf5.OpenFile(file).entry(path)
    assert f"in {refused[0]}: expected {refused[1]}" in str(error.value)
    assert str(error.value).endswith(hdf5_reading.DISTRUST)


def test_it_is_not_followed_to_say_whether_it_is_there(tmp_path, outside):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        link(file, outside)
    with hdf5.open_for_reading(tmp_path / "file.h5") as file:
        for ask in (hdf5.has, hdf5.entry_names):
            with pytest.raises(InputError, match="external link"):
                ask(file, "entry/x")


def test_verification_names_what_is_not_in_the_file(tmp_path, outside):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        external(file, outside)
    assert integrity.verify(tmp_path / "file.h5").damaged == ("entry",)


def claimed(file):
    file.create_dataset("entry", (10**9, 10**6), "u1", chunks=(1000, 1000))


def large_chunks(file):
    file.create_dataset("entry", (4,), "u1", chunks=(2**31,), maxshape=(None,))


def many_texts(file):
    file.create_dataset("entry", (10**8,), hdf5.STRING, chunks=(1000,))


@pytest.mark.parametrize("make", [claimed, large_chunks, many_texts])
def test_what_claims_more_than_the_memory_is_refused_unread(tmp_path, monkeypatch, make):
    monkeypatch.setattr(memory, "free_memory", lambda: 10**9)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        make(file)
    with hdf5.open_for_reading(tmp_path / "file.h5") as file:
        for read in (hdf5.OpenFile(file).entry, lambda name: hdf5.sum_on_disk(file[name])):
            with pytest.raises(
                InputError, match=r"'entry' in .*at most 80 % of the free memory, 0.8 GB, found"
            ):
                read("entry")


def test_entries_that_exceed_the_memory_together_are_refused(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        for number in range(40):
            file.create_dataset(f"{number}", (10**6,), "u1")
    monkeypatch.setattr(memory, "free_memory", lambda: 20_000_000)
    with hdf5.open_for_reading(tmp_path / "file.h5") as file, pytest.raises(InputError, match="free memory"):
        hdf5.OpenFile(file).read_tree("/")


def test_a_text_that_is_listed_many_times_is_counted_as_often(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("entry", (3000,), hdf5.STRING, fillvalue="x" * 30_000)
    monkeypatch.setattr(memory, "free_memory", lambda: 20_000_000)
    with hdf5.open_for_reading(tmp_path / "file.h5") as file, pytest.raises(InputError, match="free memory"):
        hdf5.OpenFile(file).read_names("entry")


def test_a_chunk_that_becomes_more_than_it_says_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5_reading, "INFLATED", 1000)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        whole = file.create_dataset("whole", data=np.arange(512.0), compression="gzip", fletcher32=True)
        item = file.create_dataset("entry", (64,), "u1", chunks=(64,), compression="gzip")
        item.id.write_direct_chunk((0,), hdf5_reading.zlib.compress(bytes(1000)))
        assert whole.chunks == (512,)
    with hdf5.open_for_reading(tmp_path / "file.h5") as file:
        assert len(hdf5.OpenFile(file).read_array("whole")) == 512
        with pytest.raises(InputError, match="expected chunks of 64 bytes, found one that becomes more"):
            hdf5.OpenFile(file).entry("entry")


def test_another_kind_of_checksum_is_refused(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["entry"] = np.arange(3)
        file["entry"].attrs[CHECKSUM] = [1, 2]
    with (
        hdf5.open_for_reading(tmp_path / "file.h5") as file,
        pytest.raises(InputError, match="a checksum in"),
    ):
        hdf5.OpenFile(file).entry("entry")


@pytest.mark.parametrize("make", [link, link_through_a_link])
def test_no_file_is_changed_through_a_link(tmp_path, outside, make):
    path = tmp_path / "run.h5"
    with h5py.File(path, "w") as file:
        make(file.create_group("step"), outside)
    before = path.read_bytes()
    with (
        pytest.raises(InputError, match="expected an entry of its own, found a"),
        hdf5.replacing(path) as file,
    ):
        file.require_group("step/entry")
    assert path.read_bytes() == before
