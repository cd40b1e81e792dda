"""The arrays of a network by dotted name."""

from collections.abc import Iterator, Mapping, MutableMapping

import numpy as np

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.layers.base import Array


class NamedArrays(MutableMapping[str, Array]):
    """The arrays of a network by dotted name: reading gives the array itself, setting replaces it by a copy.

    Setting checks shape and dtype and raises `InputError`. The names are fixed.
    """

    def __init__(self, places: Mapping[str, tuple[dict[str, Array], str]]) -> None:
        self._places = places

    def _place(self, name: str) -> tuple[dict[str, Array], str]:
        if name not in self._places:
            raise unknown_name("parameter", name, self._places)
        return self._places[name]

    def __getitem__(self, name: str) -> Array:
        store, key = self._place(name)
        return store[key]

    def __setitem__(self, name: str, value: Array) -> None:
        store, key = self._place(name)
        value, held = np.asarray(value), store[key]
        if value.shape != held.shape or value.dtype != held.dtype:
            raise InputError(
                name,
                f"{held.dtype} array of shape {held.shape}",
                f"{value.dtype} array of shape {value.shape}",
            )
        store[key] = np.array(value, order="C")

    def __delitem__(self, name: str) -> None:
        raise TypeError("the parameters of a network cannot be deleted")

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
