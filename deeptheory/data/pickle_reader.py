"""A pickle reader that accepts plain numpy arrays only, because a pickle can execute arbitrary code."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct  # called by pickled arrays

from deeptheory.errors import InputError

ACCEPTED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,  # written before numpy 2
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
}
# What the standard library and numpy raise for bytes that are no pickle.
DAMAGE = (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError, ValueError)


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, path: Path, file: Any) -> None:
        super().__init__(file, encoding="bytes")  # strings of Python 2 hold bytes
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ACCEPTED:
            raise InputError(
                f"pickle {self.path}",
                "plain numpy arrays, lists and dictionaries",
                f"a request for {module}.{name}, which was refused",
                "do not trust this file: get the official one",
            )
        return ACCEPTED[module, name]


def read_pickle(path: Path) -> Any:
    """Read a pickle of dictionaries, lists, numbers, strings and numpy arrays.

    Raises
    ------
    InputError
        The file asks for any other Python object, which is named, or is damaged.
    """
    with path.open("rb") as file:
        try:
            return _ArrayUnpickler(path, file).load()
        except InputError:
            raise
        except DAMAGE as failure:
            found = f"{path.stat().st_size} bytes that cannot be read ({failure})"
            do = "unpack the official archive again"
            raise InputError(f"pickle {path}", "a complete pickle", found, do) from failure
