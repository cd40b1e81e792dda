"""A network in one HDF5 file with everything that is needed to rebuild it, pruned or not."""

import json
import os
from pathlib import Path
from typing import Annotated, Literal

import h5py
import msgspec
import numpy as np

from deeptheory.errors import InputError
from deeptheory.nn.blueprints import blueprint_of, build_from_blueprint
from deeptheory.nn.layer_checks import WHOLE_NUMBERS, check_count
from deeptheory.nn.layers.base import Array
from deeptheory.nn.network import Network
from deeptheory.store import hdf5, paths
from deeptheory.store.atomic_files import replacing_file
from deeptheory.store.hdf5_heaps import require_whole_heaps

FORMAT = 1
WHOLE = "a complete file written by save_model"
COMPRESSED_FROM = 256  # bytes; chunk headers would make a smaller array larger
ZEROS = 0.1  # share of zeros above which weights are compressed; others shrink by a tenth at best


def save_model(path: str | os.PathLike[str], network: Network) -> None:
    """Save a network; an old file of that name is replaced as a whole.

    Parameters
    ----------
    path : path
        Its directory must exist and be writable.
    network : Network

    Raises
    ------
    InputError
        A layer of a kind that cannot be rebuilt, or a path that cannot be written.

    Notes
    -----
    ``network`` is JSON: the format and the blueprint (`blueprint_of`). ``parameters`` and ``buffers`` hold the
    arrays by dotted name. Weights with many masked zeros, and the positions of kept kernels, are compressed
    (without loss): the file shrinks with the density also where a layer stays dense because that is faster.
    """
    target = Path(path)
    blueprint = {"format": FORMAT, **blueprint_of(network)}
    try:
        with replacing_file(target) as temporary, hdf5.open_for_writing(temporary) as file:
            hdf5.write(file, paths.MODEL_NETWORK, json.dumps(blueprint), dtype=hdf5.STRING)
            for kind in paths.MODEL_ARRAYS:
                group = file.create_group(kind, track_order=True)
                for name, array in getattr(network, kind)().items():
                    _write(group, name, array)
    except OSError as error:
        raise InputError(f"model {target}", "a place that can be written", str(error)) from error


def load_model(path: str | os.PathLike[str]) -> Network:
    """The network that `save_model` saved, with the same layers and arrays, bit for bit.

    Raises
    ------
    InputError
        The file does not exist, is no saved model, is damaged or has another format.
    """
    if not Path(path).is_file():
        raise InputError("model", "a file written by save_model", f"no file {path}")
    blueprint, arrays = _read(path)
    if blueprint.format != FORMAT:
        found = f"format {blueprint.format}"
        raise InputError(f"model {path}", f"format {FORMAT}", found, "load it with the version that wrote it")
    _check_types(path, blueprint.dtype, arrays)
    table = msgspec.to_builtins(blueprint)
    try:
        return build_from_blueprint(table, *(arrays[kind] for kind in paths.MODEL_ARRAYS))
    except InputError as error:
        raise InputError(f"model {path}, {error.what}", error.expected, error.found, error.do) from error


_Option = bool | int | float | list[float]


class _Stage(msgspec.Struct):
    name: str
    layers: Annotated[list[tuple[str, str, dict[str, _Option]]], msgspec.Meta(min_length=1)]
    inputs: dict[str, list[str]]


class _Blueprint(msgspec.Struct):
    format: int
    dtype: Literal["float32", "float64"]
    input_shape: Annotated[list[Annotated[int, msgspec.Meta(ge=1)]], msgspec.Meta(min_length=1)]
    stages: Annotated[list[_Stage], msgspec.Meta(min_length=1)]


def _read(path: str | os.PathLike[str]) -> tuple[_Blueprint, dict[str, dict[str, Array]]]:
    """The blueprint of a network and its arrays by kind and name."""
    try:
        require_whole_heaps(Path(path))
        with h5py.File(path, "r", locking="best-effort") as file:
            if paths.MODEL_NETWORK not in file:
                raise ValueError(f"no entry '{paths.MODEL_NETWORK}'; of a run, compact-ARM.h5 is such a file")
            entries = hdf5.OpenFile(file)
            blueprint = msgspec.json.decode(entries.read_text(paths.MODEL_NETWORK), type=_Blueprint)
            check_count(sum(len(stage.layers) for stage in blueprint.stages))
            return blueprint, {kind: entries.read_arrays(kind) for kind in paths.MODEL_ARRAYS}
    except InputError as error:
        raise InputError(f"model {path}", WHOLE, f"{error.what}: {error.found}", error.do) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"model {path}", WHOLE, str(error)) from error


def _check_types(path: str | os.PathLike[str], dtype: str, arrays: dict[str, dict[str, Array]]) -> None:
    """Refuse arrays of another type than the compiled kernels are called with."""
    for name, array in (item for named in arrays.values() for item in named.items()):
        expected = "int64" if name.rpartition(".")[2] in WHOLE_NUMBERS else dtype
        if array.dtype != expected:
            raise InputError(f"'{name}' in model {path}", f"numbers of {expected}", f"{array.dtype}")


def _write(group: h5py.Group, name: str, array: Array) -> None:
    if array.nbytes >= COMPRESSED_FROM and _shrinks(array):
        # In one chunk: those that h5py chooses split kernels; at half of the kernels 0.66 of the size, not 0.53.
        hdf5.write(group, name, array, compression="gzip", shuffle=True, chunks=array.shape)
    else:
        hdf5.write(group, name, array)


def _shrinks(array: Array) -> bool:
    zeros = array.size - np.count_nonzero(array)
    return bool(np.issubdtype(array.dtype, np.integer) or zeros > ZEROS * array.size)
