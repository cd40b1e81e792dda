"""ONNX files and the files of their weights: opened only beside the graph, and only as large as the memory."""

import os
from pathlib import Path
from typing import Any

from deeptheory.errors import InputError
from deeptheory.interop.optional_packages import needed
from deeptheory.nn.layers.base import Array
from deeptheory.system.memory import require_memory

SMALLER = "use a smaller network, or a machine with more memory"


def read_model(path: str | os.PathLike[str]) -> Any:
    """The checked protocol buffer of a file, with its external data.

    Raises
    ------
    InputError
        The file or its external data are missing, damaged, outside of its directory, or exceed the free memory.
    """
    onnx, message = needed("onnx"), needed("google.protobuf.message")
    if not Path(path).is_file():
        raise InputError("network", "an ONNX file", "no such file")
    require_memory("ONNX file", 3 * Path(path).stat().st_size, SMALLER)
    try:
        model = onnx.load(path, load_external_data=False)
        if not model.graph.node:
            raise InputError("ONNX file", "operators", "none")
        _require_beside(onnx, model, Path(path).parent.resolve())
        onnx.load_external_data_for_model(model, str(Path(path).parent.resolve()))
        onnx.checker.check_model(model)
    except InputError:
        raise
    except (OSError, ValueError, TypeError, message.DecodeError, onnx.checker.ValidationError) as error:
        raise InputError("ONNX file", "a complete one, with its external data", first_line(error)) from error
    return model


def array_of(onnx: Any, tensor: Any) -> Array:
    """The numbers of a tensor; `InputError` if they are not those of its shape, or no numbers."""
    try:
        array: Array = onnx.numpy_helper.to_array(tensor)
    except Exception as error:  # many kinds, by what is damaged
        what, expected = f"tensor '{tensor.name}'", "as many numbers as its shape says"
        raise InputError(what, expected, first_line(error)) from error
    if array.dtype.kind not in "biufV":  # V: bfloat16
        raise InputError(f"tensor '{tensor.name}'", "numbers", f"{array.dtype}")
    return array


def first_line(error: Exception) -> str:
    """What an error of a library says, shortly."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _require_beside(onnx: Any, model: Any, directory: Path) -> None:
    """Refuse external data anywhere but in regular files in or below the directory."""
    total = 0
    for tensor in model.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        where = {entry.key: entry.value for entry in tensor.external_data}
        location = where.get("location", "")
        file = (directory / location).resolve()
        if not location or not file.is_relative_to(directory) or not file.is_file():
            what, found = f"external data of '{tensor.name}'", f"'{location}'"
            raise InputError(
                what, "a file beside the network", found, "do not trust this file, or copy its data"
            )
        total += int(where.get("length") or file.stat().st_size)
    require_memory("external data", 2 * total, SMALLER)
