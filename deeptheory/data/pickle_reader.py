"""A pickle reader that admits plain numpy arrays only: unpickling may otherwise run any program."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct  # what pickled arrays call

from deeptheory.errors import InputError

ADMITTED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,  # written before numpy 2
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
}
# What the standard library's documentation and numpy raise on bytes that are no pickle.
DAMAGE = (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError, ValueError)


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, path: Path, file: Any) -> None:
        super().__init__(file, encoding="bytes")  # strings of Python 2 hold bytes
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise InputError(
                f"pickle {self.path}",
                "plain numpy arrays, lists and dictionaries",
                f"a request for {module}.{name}, which was refused",
                "do not trust this file: get the official one",
            )
        return ADMITTED[module, name]


def read_pickle(path: Path) -> Any:
    """Read a pickle of dictionaries, lists, numbers, strings and numpy arrays.

    Raises
    ------
    InputError
        When the file asks for any other Python object, naming it, or is damaged.
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
