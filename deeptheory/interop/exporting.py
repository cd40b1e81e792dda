"""A network in the files of another program; existing files of other programs are not overwritten."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from deeptheory import nn
from deeptheory.errors import InputError, unknown_name
from deeptheory.interop.onnx.writer import write_onnx
from deeptheory.interop.state.network_files import (
    ARCHITECTURE,
    MADE_BY,
    TENSORS,
    write_masks,
    write_network,
)
from deeptheory.interop.state.tensor_files import write_tensors
from deeptheory.interop.torch.writer import write_torch
from deeptheory.nn.layers.base import Array

# Endings of the files of every format; the first one is that of the name that is given.
ENDINGS = {
    "onnx": (".onnx",),
    "safetensors": (TENSORS, ARCHITECTURE),
    "torch": (".py", TENSORS),
    "state": (TENSORS,),
}
WRITERS: dict[str, Callable[[Path, nn.Network], object]] = {
    "onnx": write_onnx,
    "safetensors": write_network,
    "torch": write_torch,
}
MASKS = f".masks{TENSORS}"
MARKS = {  # near the beginning of every file that we write
    ".onnx": b"deeptheory",
    ".py": b'"""A network written by deeptheory, in PyTorch.',
    ARCHITECTURE: b"# A network of deeptheory: ",
    TENSORS: b'"producer":"deeptheory"',
}
BEGINNING = 1 << 20  # bytes


def export(
    network: nn.Network, to: str, path: str | os.PathLike[str], masks: Mapping[str, Array] | None = None
) -> tuple[Path, ...]:
    """Write a network for another program.

    Parameters
    ----------
    network : Network
    to : "onnx", "safetensors" or "torch"
        `write_onnx`, `write_network`, `write_torch`.
    path : path
        Name of the first file, with or without its ending.
    masks : mapping of str to bool array, optional
        With "safetensors": written beside the network, as NAME.masks.safetensors.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    InputError
        An unknown format, a name with the ending of another kind of file, a directory that cannot be written, an
        existing file that deeptheory did not write, or an error of the writer.
    """
    if to not in WRITERS:
        raise unknown_name("--to", to, WRITERS)
    masks = masks if to == "safetensors" else None
    files = _places(path, to, masks)
    WRITERS[to](files[0], network)
    if masks is not None:
        write_masks(files[-1], masks)
    return files


def export_state(
    path: str | os.PathLike[str], tensors: Mapping[str, Array], masks: Mapping[str, Array] | None = None
) -> tuple[Path, ...]:
    """Write the tensors of a model of another program under its own names, and masks beside them.

    Parameters
    ----------
    path : path
        NAME.safetensors, with or without its ending; masks go to NAME.masks.safetensors.
    tensors, masks : mapping of str to array
        As `going_back.tensors_back` gives them.

    Raises
    ------
    InputError
        As `export`.
    """
    files = _places(path, "state", masks)
    write_tensors(files[0], tensors, {"format": "pt", **MADE_BY})
    if masks is not None:
        write_masks(files[-1], masks)
    return files


def _places(path: str | os.PathLike[str], to: str, masks: Mapping[str, Array] | None) -> tuple[Path, ...]:
    """The files to write, after a check that they can be written."""
    files = _files(Path(path), (*ENDINGS[to], *([MASKS] if masks is not None else [])))
    _check_places(Path(path), files)
    return files


def _files(path: Path, endings: tuple[str, ...]) -> tuple[Path, ...]:
    known = {ending for some in ENDINGS.values() for ending in some} | {".h5", ".pt", ".pth"}
    if path.suffix in known and path.suffix != endings[0]:
        raise InputError(f"--out '{path}'", f"a name ending in {endings[0]}", f"'{path.suffix}'")
    name = path.name.removesuffix(endings[0])
    return tuple(path.with_name(name + ending) for ending in endings)


def _check_places(path: Path, files: tuple[Path, ...]) -> None:
    """Raise before anything is written."""
    what, do = f"--out '{path}'", "name another file"
    if not path.parent.is_dir():
        raise InputError(what, "an existing directory", f"no directory '{path.parent}'", do)
    if not os.access(path.parent, os.W_OK):
        raise InputError(what, "a directory that can be written", "a read-only one", do)
    for file in files:
        if file.is_dir():
            raise InputError(what, f"a file {file.name}", "a directory", do)
        if file.exists() and not _is_ours(file):
            expected = f"no file {file.name}, or one that deeptheory exported"
            raise InputError(what, expected, "a file of another kind", do)


def _is_ours(file: Path) -> bool:
    with file.open("rb") as opened:
        return MARKS[file.suffix] in opened.read(BEGINNING)
