"""A network as two files that other programs can read: its tensors (safetensors) and its architecture (TOML)."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from deeptheory import nn
from deeptheory.interop.state.architecture_files import write_architecture
from deeptheory.interop.state.tensor_files import write_tensors
from deeptheory.nn.layers.base import Array

TENSORS, ARCHITECTURE = ".safetensors", ".toml"
MADE_BY = {"producer": "deeptheory"}


def files_of(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The files of tensors and architecture of a network called `path`, which may be the name of one of them."""
    name = Path(path)
    stem = name.with_suffix("") if name.suffix in (TENSORS, ARCHITECTURE) else name
    return stem.with_name(stem.name + TENSORS), stem.with_name(stem.name + ARCHITECTURE)


def write_network(path: str | os.PathLike[str], network: nn.Network) -> tuple[Path, Path]:
    """Write NAME.safetensors, all parameters and buffers by dotted name, and NAME.toml.

    The metadata of the tensors list the names of the parameters and of the buffers, as JSON.

    Parameters
    ----------
    path : path
        NAME, with or without one of the two endings; its directory must exist. Existing files are replaced.
    network : Network
        A compact one keeps its lists of kernels: ``values``, ``starts`` and ``inputs`` (`nn.SparseConv2d`).

    Returns
    -------
    tensors, architecture : Path

    Raises
    ------
    InputError
        safetensors is not installed, a layer cannot be rebuilt, or a file cannot be written.
    """
    tensors, architecture = files_of(path)
    parameters, buffers = network.parameters(), network.buffers()
    names = {"parameters": json.dumps(list(parameters)), "buffers": json.dumps(list(buffers))}
    write_architecture(architecture, network)
    write_tensors(tensors, {**parameters, **buffers}, MADE_BY | names)
    return tensors, architecture


def write_masks(path: str | os.PathLike[str], masks: Mapping[str, Array]) -> None:
    """Write masks by the dotted names of their weights, true where a weight is kept; an existing file is replaced.

    Raises
    ------
    InputError
        safetensors is not installed, or the file cannot be written.
    """
    write_tensors(path, masks, MADE_BY)
