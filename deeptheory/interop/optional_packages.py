"""Packages that only some commands need, imported when they are needed."""

import importlib
from typing import Any

from deeptheory.errors import InputError


def needed(module: str, extra: str = "interop") -> Any:
    """The module of an optional package.

    Parameters
    ----------
    module : str
        "safetensors.numpy", "onnx".
    extra : str
        What installs it: ``pip install 'deeptheory[interop]'``.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        do = f"install it: pip install 'deeptheory[{extra}]'"
        raise InputError(f"package {package}", "an installed one", "none", do) from error
