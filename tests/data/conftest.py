import h5py
import numpy as np
import pytest

from deeptheory.data import stored_array


@pytest.fixture
def write_arrays():
    """Write a file or, without a suffix, a folder of arrays by their names."""

    def write(path, arrays):
        if path.suffix == ".npz":
            np.savez(path, **arrays)
        elif path.suffix == ".h5":
            with h5py.File(path, "w") as file:
                for name, array in arrays.items():
                    file[name] = array
        else:
            path.mkdir()
            for name, array in arrays.items():
                np.save(path / f"{name}.npy", array)
        return path

    return write


@pytest.fixture
def too_many(monkeypatch):
    """Let all images be too many for the memory."""
    monkeypatch.setattr(stored_array, "COPIES", 10**12)
