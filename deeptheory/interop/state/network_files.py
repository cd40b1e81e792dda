"""A network as two files that other programs can read: its tensors (safetensors) and its architecture (TOML)."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.state.architecture_files import read_architecture, write_architecture
from deeptheory.interop.state.tensor_files import read_tensors, write_tensors
from deeptheory.nn.layers.base import Array

TENSORS, ARCHITECTURE = ".safetensors", ".toml"
MADE_BY = {"producer": "deeptheory"}
KINDS_OF_ARRAYS = ("parameters", "buffers")  # keys of the metadata: the names of each kind, in their order


def files_of(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The files of tensors and architecture of a network called `path`, which may be the name of one of them."""
    name = Path(path)
    stem = name.with_suffix("") if name.suffix in (TENSORS, ARCHITECTURE) else name
    return stem.with_name(stem.name + TENSORS), stem.with_name(stem.name + ARCHITECTURE)


def write_network(path: str | os.PathLike[str], network: nn.Network) -> tuple[Path, Path]:
    """Write NAME.safetensors, all parameters and buffers by dotted name, and NAME.toml.

    Parameters
    ----------
    path : path
        NAME, with or without one of the two endings; its directory must exist. Old files are replaced.
    network : Network
        A compact one keeps its lists of kernels: ``values``, ``starts`` and ``inputs`` (`nn.SparseConv2d`).

    Returns
    -------
    tensors, architecture : Path

    Raises
    ------
    InputError
        safetensors is not installed, a layer cannot be built again, or the place cannot be written.
    """
    tensors, architecture = files_of(path)
    metadata = MADE_BY | {kind: json.dumps(list(getattr(network, kind)())) for kind in KINDS_OF_ARRAYS}
    write_architecture(architecture, network)
    write_tensors(tensors, {**network.parameters(), **network.buffers()}, metadata)
    return tensors, architecture


def write_masks(path: str | os.PathLike[str], masks: Mapping[str, Array]) -> None:
    """Write masks by the dotted names of their weights: true where a weight stays; an old file is replaced.

    Raises
    ------
    InputError
        safetensors is not installed, or the place cannot be written.
    """
    write_tensors(path, masks, MADE_BY)


def read_network(path: str | os.PathLike[str]) -> nn.Network:
    """The network that `write_network` wrote: the same layers and arrays, to the last bit.

    Raises
    ------
    InputError
        safetensors is not installed, one of the files is missing or damaged, or they do not fit together.
    """
    tensors, architecture = files_of(path)
    description = read_architecture(architecture)
    arrays, metadata = read_tensors(tensors)
    if not metadata.keys() >= set(KINDS_OF_ARRAYS):
        do = "import tensors of other programs with 'deeptheory import'"
        found = f"no list of {', '.join(KINDS_OF_ARRAYS)} in it"
        raise InputError(f"tensors {tensors}", "a file that deeptheory wrote", found, do)
    layers = {f"{stage['name']}.{key}" for stage in description["stages"] for key, _, _ in stage["layers"]}
    if strange := sorted(name for name in arrays if name.rpartition(".")[0] not in layers):
        raise InputError(f"tensors {tensors}", f"those of the layers of {architecture}", strange[0])
    try:
        names = [json.loads(metadata[kind]) for kind in KINDS_OF_ARRAYS]
        if sorted(name for of in names for name in of) != sorted(arrays):
            expected = "each tensor once in its lists of parameters and buffers"
            raise InputError(f"tensors {tensors}", expected, "others")
        return nn.build_from_blueprint(description, *({name: arrays[name] for name in of} for of in names))
    except json.JSONDecodeError as error:
        raise InputError(
            f"tensors {tensors}", "readable lists of parameters and buffers", str(error)
        ) from error
    except (KeyError, TypeError) as error:
        expected = f"all tensors of the layers of {architecture}"
        raise InputError(f"tensors {tensors}", expected, f"none for {error}") from error
