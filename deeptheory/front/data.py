"""Data sets for runs that are made in Python: loaded by options, or arrays that the run keeps a copy of."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from deeptheory import data
from deeptheory.errors import InputError
from deeptheory.runs.datasets import State, load_whole, state
from deeptheory.runs.option_tables import options_from
from deeptheory.store import paths

OF_THE_RUN = (
    "labels",
    "labels_used",
    "measure_share",
    "measure_from",
    "test_share",
)  # what a run makes of a data set
MADE = ("glyphs", "sentences")  # sources without files


@dataclass(frozen=True, repr=False)
class LoadedDataset(data.Dataset):
    """A data set and the options that loaded it; see `deeptheory.data.Dataset`.

    Attributes
    ----------
    options : DataOptions
    given : tuple of str
        Those that `load_data` was given.
    state : State, optional
        Of its files when they were loaded.
    """

    options: data.DataOptions = field(default_factory=data.DataOptions)
    given: tuple[str, ...] = ()
    state: State | None = None


def load_data(
    source: Any,
    labels: Any = None,
    *,
    test: tuple[Any, Any] | None = None,
    label_names: Sequence[str] | None = None,
    quiet: bool = False,
    **options: Any,
) -> data.Dataset:
    """A data set for `train`: rendered glyphs, sentences of a random grammar, files, or arrays.

    Parameters
    ----------
    source : str, path or array
        "glyphs" or "sentences"; or the file or directory of a data set (CIFAR, IDX, an image folder, `.npz`,
        HDF5); or the images, an array or tensor (N, H, W, C), (N, C, H, W) or (N, H, W).
    labels : array, optional
        Of images that are given as an array, (N,), or one-hot (N, K).
    test : (images, labels), optional
        Test images and labels as arrays; without them a run holds `data.test_share` of the images out.
    label_names : sequence of str, optional
        One name for every label of arrays (`deeptheory.data.from_arrays` says what they may be).
    quiet : bool
        No progress on standard error.
    **options
        Options of the table [data] of a configuration, such as ``n_labels`` and ``size`` for glyphs,
        ``length`` and ``words`` for sentences.

    Returns
    -------
    Dataset
        What was loaded can only be read. Arrays are not copied; a run on them writes them once, as `data.h5` in
        its directory, so that every command can go on with it.

    Raises
    ------
    InputError
        An unknown option, a value of the wrong type or range, a data set that cannot be read, arrays that have no
        single meaning.

    Examples
    --------
    >>> dt.load_data("glyphs", n_labels=5, size=16, train_per_label=20, test_per_label=10)
    Dataset 'glyphs': 5 labels, images of 16 x 16 x 1
    100 (20 a label) for training, 50 (10 a label) for testing
    labels: 0, 1, 2, 3, 4

    >>> images = np.zeros((12, 8, 8), np.uint8)
    >>> dt.load_data(images, np.arange(12) % 3, label_names=["cat", "dog", "owl"])
    Dataset 'arrays': 3 labels, images of 8 x 8 x 1
    12 (4 a label) for training, none for testing
    labels: cat, dog, owl
    """
    if isinstance(source, str | os.PathLike):
        _refuse_arrays(source, labels=labels, test=test, label_names=label_names)
        return _by_options(os.fspath(source), options, quiet)
    if options:
        do = "give them to the run, as options of [data]"
        raise InputError("load_data", "no options beside arrays", ", ".join(options), do)
    if labels is None:
        do = "call load_data(images, labels), or load_data(images, labels, test=(images, labels))"
        raise InputError("load_data", "labels of the images", "none", do)
    return data.from_arrays(source, labels, *(test or ()), label_names=label_names)


def table_of(dataset: data.Dataset, table: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The table [data] of a run on a data set; arrays are to lie in a file.

    Parameters
    ----------
    dataset : Dataset
    table : mapping
        The table [data] of the configuration, whose shares and choice of labels hold where `load_data` was given
        none.
    file : Path

    Raises
    ------
    InputError
        Files that have changed since `load_data` read them: the run would be one on other images.
    """
    if not isinstance(dataset, LoadedDataset):
        own = {name: value for name, value in table.items() if name in OF_THE_RUN}
        return {**own, "source": "files", "path": str(file.absolute())}
    if dataset.state not in (None, state(dataset.options)):
        expected, do = "the files that were loaded", "load them again by load_data"
        raise InputError(f"data path {dataset.options.path}", expected, "ones changed since", do)
    loaded = {
        name: value
        for name, value in msgspec.to_builtins(dataset.options).items()
        if name in dataset.given or name not in OF_THE_RUN
    }
    return {**table, **loaded}


def keep_arrays(dataset: data.Dataset, file: Path) -> None:
    """Write a data set of arrays to the file of a run, once.

    Raises
    ------
    InputError
        The file holds another data set.
    """
    if isinstance(dataset, LoadedDataset):
        return
    if not file.exists():
        data.pack(dataset, file)
        return
    there = data.read_archive(file)
    same = (np.array_equal(getattr(there, name), getattr(dataset, name)) for name in paths.DATASET_ARRAYS)
    texts = [(there.label_names, there.words), (dataset.label_names, dataset.words)]
    if texts[0] != texts[1] or not all(same):
        do = "name another directory with out="
        raise InputError(f"data of {file.parent}", f"the images and labels in {file}", "other arrays", do)


def _by_options(source: str, options: Mapping[str, Any], quiet: bool) -> LoadedDataset:
    made = source in MADE
    named = {"source": source} if made else {"source": "files", "path": str(_resolved(source))}
    chosen = options_from({**named, **options}, data.DataOptions, "data.")
    now = state(chosen)
    loaded = load_whole(chosen, quiet)
    arrays = {each.name: getattr(loaded, each.name) for each in fields(data.Dataset)}
    for name in paths.DATASET_ARRAYS:  # shared with the runs, which rely on them
        if isinstance(arrays[name], np.ndarray):  # and not left in its file
            arrays[name].flags.writeable = False
    return LoadedDataset(**arrays, options=chosen, given=(*named, *options), state=now)


def _resolved(path: str) -> Path:
    return Path(path).expanduser().resolve()


def _refuse_arrays(source: str | os.PathLike[str], **given: Any) -> None:
    if names := [name for name, value in given.items() if value is not None]:
        do = "give images as the first argument, or leave these out"
        raise InputError("load_data", f"nothing beside '{source}' but options", ", ".join(names), do)
