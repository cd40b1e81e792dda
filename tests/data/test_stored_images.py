"""Images too many for the memory stay in their file, and are the same as those read."""

import os
import pickle

import h5py
import numpy as np
import pytest

from deeptheory.data import augmentation, from_arrays, pack, read_files
from deeptheory.data.stored_images import StoredImages, in_memory
from deeptheory.errors import InputError

IMAGES = np.random.default_rng(0).integers(2, 256, (6, 5, 4, 3), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])
PARTS = {"train_images": IMAGES, "train_labels": LABELS, "test_images": IMAGES[:3], "test_labels": LABELS[:3]}
FLOATS = (IMAGES / 255).transpose(0, 3, 1, 2).astype(np.float32)


@pytest.mark.usefixtures("too_many")
@pytest.mark.parametrize("place", ["own.npz", "own.h5", "own"])
@pytest.mark.parametrize("images", [IMAGES, FLOATS, IMAGES[..., 0], IMAGES.astype(">i2")])
def test_images_in_their_file_are_those_in_memory(tmp_path, write_arrays, place, images):
    arrays = {**PARTS, "train_images": images, "test_images": images[:3]}
    stored, read = read_files(write_arrays(tmp_path / place, arrays)), from_arrays(*arrays.values())
    assert isinstance(stored.train_images, StoredImages)
    assert stored.train_images.shape == read.train_images.shape
    assert stored.fingerprint == read.fingerprint
    rows = np.array([4, 5, 0, 0, 3])
    for key in (rows, slice(1, 4), LABELS == 2, slice(None, None, -1), slice(2, 2)):
        chosen = stored.train_images[key]
        assert np.array_equal(chosen.read(), read.train_images[key])
        assert len(chosen) == len(read.train_images[key])
    assert np.array_equal(np.asarray(stored.train_images), read.train_images)
    shifts, flips = augmentation.draw(np.random.default_rng(0), len(rows), 2, True)
    for compute in (
        lambda given: augmentation.scale(given),
        lambda given: augmentation.gather(given, rows, np.empty((5, *given.shape[1:]), np.float32)),
        lambda given: augmentation.batch(given, rows, shifts, flips),
    ):
        assert np.array_equal(compute(stored.train_images), compute(read.train_images))


@pytest.mark.usefixtures("too_many")
def test_a_selection_of_a_selection_survives_another_process(tmp_path, write_arrays):
    stored = read_files(write_arrays(tmp_path / "own", PARTS)).train_images[2:][np.array([3, 1])]
    assert np.array_equal(in_memory(pickle.loads(pickle.dumps(stored))), IMAGES[[5, 3]])


@pytest.mark.usefixtures("too_many")
def test_what_is_packed_of_them_comes_back(tmp_path, write_arrays):
    stored = read_files(write_arrays(tmp_path / "own", PARTS))
    pack(stored, tmp_path / "own.h5")
    assert read_files(tmp_path / "own.h5").fingerprint == stored.fingerprint


@pytest.mark.usefixtures("too_many")
@pytest.mark.parametrize("change", ["content", "size", "gone"])
def test_a_file_that_changes_under_them_is_refused(tmp_path, write_arrays, change):
    images = read_files(write_arrays(tmp_path / "own", PARTS)).train_images
    path = tmp_path / "own" / "train_images.npy"
    if change == "gone":
        path.unlink()
    elif change == "size":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        os.utime(path, ns=(0, 0))
    with pytest.raises(
        InputError, match=r"data file .*train_images\.npy: expected (the file that was|a file)"
    ):
        images[:2].read()


@pytest.mark.usefixtures("too_many")
@pytest.mark.parametrize(("place", "where"), [("own.npz", b"PAR"), ("own.h5", b"PAR")])
def test_damaged_images_are_found_though_they_stay_in_the_file(tmp_path, place, where):
    marked = IMAGES.copy()
    marked[2, 0, 0] = np.frombuffer(where, np.uint8)
    path = tmp_path / place
    pack(from_arrays(marked, LABELS), path)
    path.write_bytes(path.read_bytes().replace(where, b"PAP"))
    with pytest.raises(InputError, match=r"train_images' in .*the bytes that were written|Bad CRC-32"):
        read_files(path)


@pytest.mark.parametrize("kind", ["npz", "h5", "columns"])
def test_images_that_cannot_stay_in_their_file_name_what_mends_it(tmp_path, write_arrays, monkeypatch, kind):
    images, path = np.tile(IMAGES, (100, 1, 1, 1)), tmp_path / f"own.{kind}"
    if kind == "npz":
        np.savez_compressed(path, images=images, labels=np.tile(LABELS, 100))
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("images", data=images, compression="gzip")
            file["labels"] = np.tile(LABELS, 100)
    else:
        write_arrays(path, {"images": np.asfortranarray(images), "labels": np.tile(LABELS, 100)})
    monkeypatch.setattr("deeptheory.system.memory.free_memory", lambda: 40_000)
    mended = {
        "npz": r"unzip FILE -d FOLDER",
        "h5": r"h5repack -l CONTI -f NONE",
        "columns": r"np\.save\(name, np\.ascontiguousarray",
    }
    with pytest.raises(InputError, match=rf"at most 80 % of the free memory.*{mended[kind]}"):
        read_files(path)
