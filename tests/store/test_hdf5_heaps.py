import h5py
import pytest

from deeptheory.errors import InputError
from deeptheory.store.hdf5_heaps import SIGNATURE, require_whole_heaps


@pytest.fixture(params=["earliest", "latest"])
def path(request, tmp_path):
    with h5py.File(tmp_path / "file.h5", "w", libver=request.param) as file:
        file["short"] = ["x" * length for length in range(300)]
        file.create_dataset("many", data=["y" * length for length in range(2000)], compression="gzip")
        file["long"] = "z" * 100_000
        del file["short"]
        file["short"] = ["", "q"]
    return tmp_path / "file.h5"


def test_whole_heaps_pass(path):
    require_whole_heaps(path)


@pytest.mark.parametrize("size", [0, 2**64 - 1, 5000])
def test_an_object_that_ends_nowhere_is_refused(path, size):
    content = bytearray(path.read_bytes())
    start = content.find(SIGNATURE)
    place = start + 16
    if size == 0:  # HDF5 reads that for ever
        content[place : place + 2] = bytes(2)
    content[place + 8 : place + 16] = size.to_bytes(8, "little")
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=f"expected whole heaps of texts, found one at byte {start} that ends"
    ):
        require_whole_heaps(path)


def test_the_signature_alone_is_no_heap(path):
    path.write_bytes(path.read_bytes() + SIGNATURE + b"\xff" * 40 + SIGNATURE)
    require_whole_heaps(path)


def test_an_empty_file_has_no_heap(tmp_path):
    (tmp_path / "file.h5").touch()
    require_whole_heaps(tmp_path / "file.h5")
