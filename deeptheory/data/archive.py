"""Data sets in one file, `.npz` or HDF5, or a directory of `.npy` files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.data import npy, npz
from deeptheory.data.array_names import arrays_by_meaning, known_arrays
from deeptheory.data.arrays import from_arrays
from deeptheory.data.dataset import Dataset
from deeptheory.data.id_arrays import from_ids
from deeptheory.errors import InputError
from deeptheory.store.atomic_files import replacing_file
from deeptheory.store.paths import DATASET_ARRAYS, LABEL_NAMES, WORDS

NPZ_SUFFIXES = (".npz",)
HDF5_SUFFIXES = (".h5", ".hdf5")
SUFFIXES = NPZ_SUFFIXES + HDF5_SUFFIXES
Arrays = dict[str, Any]  # arrays, stored arrays, or lists of texts


class Kind(NamedTuple):
    """A kind of file: its name for errors, and what reads the arrays that are known by their names."""

    name: str
    read: Callable[[Path], Arrays]


def read_archive(path: Path, name: str = "") -> Dataset:
    """Read a data set from one `.npz` or HDF5 file, or from a directory of `.npy` files.

    Arrays are found by their names (`array_names`), and are of the kinds that `from_arrays` takes. Images that are
    too many for the memory stay in their file, unless they are compressed.

    Parameters
    ----------
    path : Path
        The file or directory.
    name : str, optional
        Name of the data set; by default that of the file.

    Raises
    ------
    InputError
        The file is missing or damaged; arrays are missing, or could be several things.
    """
    if not path.exists():
        raise InputError(f"data file {path}", "a file", "no such file")
    kind = _kind_of(path)
    try:
        arrays = kind.read(path)
    except InputError:
        raise
    except Exception as failure:  # damaged bytes can make the readers raise anything
        raise InputError(
            f"data file {path}",
            f"a complete {kind.name} file of plain arrays",
            f"{path.stat().st_size} bytes that cannot be read ({failure})",
            "write it again, for example with deeptheory.data.pack",
        ) from failure
    return _dataset(name or path.name, arrays)


def is_data(path: Path) -> bool:
    """Whether a file holds the arrays of a data set, by their names; one that cannot be read does not."""
    if path.suffix not in SUFFIXES or not path.is_file():
        return False
    try:
        present = known_arrays(_names_in(path))
    except Exception:  # damaged bytes can make the readers raise anything
        return False
    return any(name.endswith("images") for name in present) and any(
        name.endswith("labels") for name in present
    )


def read_folder_of_arrays(path: Path, quiet: bool = False) -> Dataset:
    """`read_archive` as a layout of directories."""
    del quiet
    return read_archive(path)


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
    texts = {LABEL_NAMES: dataset.label_names} | ({WORDS: dataset.words} if dataset.words else {})
    write = _write_npz if path.suffix in NPZ_SUFFIXES else _write_hdf5
    try:
        with replacing_file(path) as temporary:
            write(temporary, arrays, texts)
    except OSError as failure:
        raise InputError(f"data file {path}", "a directory that can be written to", f"{failure}") from failure


def _kind_of(path: Path) -> Kind:
    if path.is_dir():
        return Kind("numpy", _read_npy_folder)
    return Kind(".npz", _read_npz) if path.suffix in NPZ_SUFFIXES else Kind("HDF5", _read_hdf5)


def _names_in(path: Path) -> list[str]:
    if path.suffix in NPZ_SUFFIXES:
        return npz.array_names(path)
    from deeptheory.data import hdf5_arrays

    with hdf5_arrays.opened(path) as file:
        return hdf5_arrays.array_names(file)


def _read_npz(path: Path) -> Arrays:
    mended = _rewritten("np.load", path)
    names = arrays_by_meaning(f"data file {path}", npz.array_names(path), mended)
    return _renamed(names, npz.read_npz(path, names.values()))


def _read_npy_folder(path: Path) -> Arrays:
    mended = "mv OTHER.npy train_images.npy, and so on for train_labels, test_images and test_labels"
    names = arrays_by_meaning(f"data folder {path}", npy.array_names(path), mended)
    return _renamed(names, npy.read_npy_folder(path, names.values()))


def _read_hdf5(path: Path) -> Arrays:
    from deeptheory.data import hdf5_arrays

    mended = _rewritten("h5py.File", path, all_of="[:]")
    with hdf5_arrays.opened(path) as file:
        names = arrays_by_meaning(f"data file {path}", hdf5_arrays.array_names(file), mended)
        return _renamed(names, hdf5_arrays.read(file, names.values()))


def _rewritten(opener: str, path: Path, all_of: str = "") -> str:
    """The line of code that writes a file with other names; `arrays_by_meaning` fills in those it knows."""
    arrays = ", ".join(f'{name}=f["{{{name}}}"]{all_of}' for name in DATASET_ARRAYS)
    name = path.name.replace("{", "{{").replace("}", "}}")
    return f'f = {opener}("{name}"); np.savez("own.npz", {arrays})'


def _renamed(names: dict[str, str], arrays: Arrays) -> Arrays:
    return {meaning: arrays[name] for meaning, name in names.items()}


def _write_npz(path: Path, arrays: dict[str, NDArray[Any]], texts: dict[str, tuple[str, ...]]) -> None:
    named = {name: np.array(several, dtype=np.str_) for name, several in texts.items()}
    with path.open("wb") as file:
        np.savez(file, **arrays, **named)  # type: ignore[arg-type]


def _write_hdf5(path: Path, arrays: dict[str, NDArray[Any]], texts: dict[str, tuple[str, ...]]) -> None:
    from deeptheory.store import hdf5

    with hdf5.open_for_writing(path) as target:
        for key, array in arrays.items():
            hdf5.write(target, key, array)
        for name, several in texts.items():
            hdf5.write(target, name, list(several), dtype=hdf5.STRING)


def _dataset(name: str, arrays: Arrays) -> Dataset:
    names = _texts(f"{LABEL_NAMES} of '{name}'", arrays[LABEL_NAMES]) if LABEL_NAMES in arrays else None
    if WORDS in arrays:
        words = _texts(f"{WORDS} of '{name}'", arrays[WORDS])
        return from_ids(*map(arrays.get, DATASET_ARRAYS), words=words, label_names=names, name=name)
    return from_arrays(*map(arrays.get, DATASET_ARRAYS), label_names=names, name=name)


def _texts(what: str, several: Any) -> tuple[str, ...]:
    if isinstance(several, str) or np.ndim(several) != 1:
        found = "one text" if isinstance(several, str) else f"{np.ndim(several)} axes"
        kind = "label" if what.startswith(LABEL_NAMES) else "word"
        raise InputError(what, f"one text for each {kind}, along one axis", found)
    try:
        return tuple(text.decode() if isinstance(text, bytes) else str(text) for text in several)
    except (ValueError, SystemError) as error:  # numbers that are no characters
        raise InputError(what, "texts", f"{error}", "write them again") from error
