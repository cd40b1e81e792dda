"""The arrays of a network by dotted name."""

from collections.abc import Iterator, Mapping, MutableMapping

import numpy as np

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.layers.base import Array


class NamedArrays(MutableMapping[str, Array]):
    """The arrays of a network by dotted name: reading gives the array itself, setting replaces it by a copy.

    A new array must have the shape and dtype of the old one, else setting raises `InputError`. Names are fixed.

    Parameters
    ----------
    slots : mapping of str to (dict, str)
        By dotted name, the dictionary of the layer that holds the array, and its key there.
    """

    def __init__(self, slots: Mapping[str, tuple[dict[str, Array], str]]) -> None:
        self._slots = slots

    def _slot(self, name: str) -> tuple[dict[str, Array], str]:
        if name not in self._slots:
            raise unknown_name("parameter", name, self._slots)
        return self._slots[name]

    def __getitem__(self, name: str) -> Array:
        store, key = self._slot(name)
        return store[key]

    def __setitem__(self, name: str, value: Array) -> None:
        store, key = self._slot(name)
        value, old = np.asarray(value), store[key]
        if value.shape != old.shape or value.dtype != old.dtype:
            raise InputError(
                name,
                f"{old.dtype} array of shape {old.shape}",
                f"{value.dtype} array of shape {value.shape}",
            )
        store[key] = np.array(value, order="C")

    def __delitem__(self, name: str) -> None:
        raise TypeError("the parameters of a network cannot be deleted")

    def __contains__(self, name: object) -> bool:
        return name in self._slots

    def __iter__(self) -> Iterator[str]:
        return iter(self._slots)

    def __len__(self) -> int:
        return len(self._slots)
