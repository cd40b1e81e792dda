"""Data sets in one file, `.npz` or HDF5, with the arrays named in `store.paths`."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.dataset import Dataset, Images, Labels, numbers_as_names
from deeptheory.data.npz import read_npz
from deeptheory.errors import InputError
from deeptheory.store.atomic_files import replacing_file
from deeptheory.store.paths import DATASET_ARRAYS, LABEL_NAMES

NPZ_SUFFIXES = (".npz",)
HDF5_SUFFIXES = (".h5", ".hdf5")
SUFFIXES = NPZ_SUFFIXES + HDF5_SUFFIXES
NAMES = (*DATASET_ARRAYS, LABEL_NAMES)


def read_archive(path: Path, name: str = "") -> Dataset:
    """Read a data set from one `.npz` or HDF5 file.

    Images are uint8 `(N, H, W, C)` or `(N, H, W)`. Without `test_images` the test set is empty; without
    `label_names` labels are named by their number.

    Parameters
    ----------
    path : Path
        The file.
    name : str, optional
        Name of the data set; by default that of the file.

    Raises
    ------
    InputError
        The file is missing or damaged, or an array is missing or of the wrong type or shape.
    """
    if not path.is_file():
        raise InputError(f"data file {path}", "a file", "no such file")
    try:
        arrays = read_npz(path, NAMES) if _is_npz(path) else _read_hdf5(path)
    except InputError:
        raise
    except Exception as failure:  # damaged bytes can make the readers raise anything
        raise InputError(
            f"data file {path}",
            f"a complete {'.npz' if _is_npz(path) else 'HDF5'} file of plain arrays",
            f"{path.stat().st_size} bytes that cannot be read ({failure})",
            "write it again, for example with deeptheory.data.pack",
        ) from failure
    missing = [key for key in DATASET_ARRAYS[:2] if key not in arrays]
    if "test_images" in arrays and "test_labels" not in arrays:
        missing.append("test_labels")
    if missing:
        found = ", ".join(sorted(arrays)) or "no known array"
        raise InputError(f"data file {path}", f"the arrays {', '.join(missing)}", found)
    return _dataset(name or path.name, arrays)


def pack(dataset: Dataset, path: str | Path) -> None:
    """Write a data set to one uncompressed `.npz` or HDF5 file; a failed write leaves no partial file.

    Raises
    ------
    InputError
        Another suffix, or a directory that cannot be written to.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"data file {path}", f"a name that ends in {', '.join(SUFFIXES)}", f"'{path.suffix}'"
        )
    arrays = {key: getattr(dataset, key) for key in DATASET_ARRAYS}
    write = _write_npz if _is_npz(path) else _write_hdf5
    try:
        with replacing_file(path) as temporary:
            write(temporary, arrays, dataset.label_names)
    except OSError as failure:
        raise InputError(f"data file {path}", "a directory that can be written to", f"{failure}") from failure


def _is_npz(path: Path) -> bool:
    return path.suffix in NPZ_SUFFIXES


def _read_hdf5(path: Path) -> dict[str, Any]:
    import h5py

    from deeptheory.store import hdf5
    from deeptheory.store.hdf5_heaps import require_whole_heaps

    require_whole_heaps(path)
    with h5py.File(path, "r", locking="best-effort") as file:
        entries = hdf5.OpenFile(file)
        arrays: dict[str, Any] = {
            key: entries.read_array(key) for key in DATASET_ARRAYS if hdf5.has(file, key)
        }
        if hdf5.has(file, LABEL_NAMES):
            arrays[LABEL_NAMES] = entries.entry(LABEL_NAMES)
        return arrays


def _write_npz(path: Path, arrays: dict[str, NDArray[Any]], label_names: tuple[str, ...]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays, label_names=np.array(label_names, dtype=np.str_))  # type: ignore[arg-type]


def _write_hdf5(path: Path, arrays: dict[str, NDArray[Any]], label_names: tuple[str, ...]) -> None:
    from deeptheory.store import hdf5

    with hdf5.open_for_writing(path) as target:
        for key, array in arrays.items():
            hdf5.write(target, key, array)
        hdf5.write(target, LABEL_NAMES, list(label_names), dtype=hdf5.STRING)


def _dataset(name: str, arrays: dict[str, Any]) -> Dataset:
    train_images, train_labels = _images(arrays["train_images"]), _labels(name, arrays["train_labels"])
    test_images = _images(arrays.get("test_images", np.empty((0, *train_images.shape[1:]), np.uint8)))
    test_labels = _labels(name, arrays.get("test_labels", np.empty(0, np.int64)))
    names = (
        _texts(name, arrays[LABEL_NAMES])
        if LABEL_NAMES in arrays
        else numbers_as_names(name, train_labels, test_labels)
    )
    return Dataset(name, train_images, train_labels, test_images, test_labels, names)


def _texts(name: str, label_names: Any) -> tuple[str, ...]:
    if isinstance(label_names, str) or np.ndim(label_names) != 1:
        found = "one text" if isinstance(label_names, str) else f"{np.ndim(label_names)} axes"
        raise InputError(f"{LABEL_NAMES} of '{name}'", "one text for each label, along one axis", found)
    try:
        return tuple(map(str, label_names))
    except (ValueError, SystemError) as error:  # numbers that are no characters
        raise InputError(f"{LABEL_NAMES} of '{name}'", "texts", f"{error}", "write them again") from error


def _images(images: Images) -> Images:
    return images[..., None] if images.ndim == 3 else images


def _labels(name: str, labels: NDArray[Any]) -> Labels:
    if labels.dtype.kind not in "iu":
        raise InputError(f"labels of '{name}'", "integers", f"{labels.dtype}")
    return labels.astype(np.int64)
