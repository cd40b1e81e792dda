"""Files of arrays that claim more than they hold, or than fits into memory."""

import io
import zipfile

import numpy as np
import pytest

from deeptheory.data import read_archive
from deeptheory.data.npz import read_npz
from deeptheory.errors import InputError
from deeptheory.system import memory


def member(descr, shape, content=b"", fortran=False):
    """One array as its file in the archive."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": fortran, "shape": shape})
    return file.getvalue() + content


def archive(path, method=zipfile.ZIP_STORED, **members):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


ONE = member("|u1", (1,), bytes(1))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_of_both_orders_come_back(tmp_path, save):
    arrays = {"rows": np.arange(6).reshape(2, 3), "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3))}
    arrays |= {"texts": np.array(["a", "bc"]), "none": np.empty((0, 3)), "one": np.array(2, np.uint8)}
    save(tmp_path / "a.npz", **arrays)
    found = read_npz(tmp_path / "a.npz", arrays)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
        assert found[name].flags.writeable


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**6), (3,), (2**64, 2)])
def test_a_shape_that_the_bytes_do_not_fill_is_refused(tmp_path, shape):
    path = archive(tmp_path / "a.npz", train_images=member("|u1", shape, b"ab"), train_labels=ONE)
    with pytest.raises(InputError, match=r"'train_images' in .*: expected shape \(.* bytes, found 2 bytes"):
        read_archive(path)


def test_an_array_that_is_one_file_but_no_archive_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3))
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"expected a complete \.npz file"):
        read_archive(tmp_path / "a.npz")


def test_more_than_the_memory_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 10**6)
    packed = member("|u1", (10**7,), bytes(10**7))
    path = archive(tmp_path / "a.npz", zipfile.ZIP_DEFLATED, train_images=packed, train_labels=ONE)
    with pytest.raises(InputError, match=r"data file .*a.npz: expected at most 80 % of the free memory"):
        read_archive(path)
