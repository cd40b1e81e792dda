"""Arrays, tensors and lists as NumPy arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError


def array_of(value: Any, what: str) -> NDArray[Any]:
    """An array or tensor on any device as a NumPy array of numbers; `InputError` for anything else."""
    array = as_array(value, what)
    if array.dtype.kind not in "biuf":
        raise InputError(what, "an array of numbers", f"values of type {array.dtype}")
    return array


def as_array(value: Any, what: str) -> NDArray[Any]:
    """An array or tensor on any device as a NumPy array of whatever it holds."""
    try:
        for method in ("detach", "cpu", "numpy"):  # those that a tensor has
            if hasattr(value, method):
                value = getattr(value, method)()
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as failure:
        raise InputError(what, "an array of numbers", f"a {type(value).__name__} ({failure})") from failure
