"""Readers of stored entries that say what they return, and refuse an entry of another kind."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar, Union

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError

Array = NDArray[Any]  # of the type it was written in
Entry = Union[float, str, list[str], Array, "StoredTree"]
Kind = TypeVar("Kind")


class TypedReaders(ABC):
    """Readers for every kind of entry.

    All raise `InputError` with the file and the entry, the kind that was expected and what was found: for an entry
    that is missing, of another kind, or damaged.
    """

    @abstractmethod
    def entry(self, path: str) -> Entry:
        """The entry at a path such as ``stages/stage3``, of whatever kind it is."""

    @abstractmethod
    def location(self, path: str) -> str:
        """The entry and its file, as an error message names them."""

    def read_number(self, path: str) -> float:
        """One number; an integer or a truth value as it was written."""
        return self._checked(path, self.entry(path), (float, int), "a number")

    def read_text(self, path: str) -> str:
        """One text."""
        return self._checked(path, self.entry(path), (str,), "a text")

    def read_names(self, path: str) -> list[str]:
        """A list of texts."""
        return self._checked(path, self.entry(path), (list,), "a list of texts")

    def read_array(self, path: str) -> Array:
        """One array, of the type that it was written in."""
        return self._checked(path, self.entry(path), (np.ndarray,), "an array")

    def read_tree(self, path: str) -> "StoredTree":
        """A group with all that is in it."""
        return self._checked(path, self.entry(path), (StoredTree,), "a group")

    def read_numbers(self, path: str) -> dict[str, float]:
        """A group of numbers alone, by name."""
        tree = self.read_tree(path)
        return {name: tree.read_number(name) for name in tree}

    def read_arrays(self, path: str) -> dict[str, Array]:
        """A group of arrays alone, by name."""
        tree = self.read_tree(path)
        return {name: tree.read_array(name) for name in tree}

    def read_trees(self, path: str) -> dict[str, "StoredTree"]:
        """A group of groups alone, by name."""
        tree = self.read_tree(path)
        return {name: tree.read_tree(name) for name in tree}

    def _checked(self, path: str, entry: Entry, kinds: tuple[type[Kind], ...], expected: str) -> Kind:
        if isinstance(entry, kinds):
            return entry
        raise InputError(self.location(path), expected, _described(entry))


class StoredTree(dict[str, Entry], TypedReaders):
    """A group as it was read, with its entries by name.

    Parameters
    ----------
    entries : mapping
    file, path : str
        Where it was read, for error messages; the path is "" for a whole file.
    """

    def __init__(self, entries: Mapping[str, Entry], file: str, path: str) -> None:
        super().__init__(entries)
        self.file, self.path = file, path

    def entry(self, path: str) -> Entry:
        name, _, rest = path.partition("/")
        if name not in self:
            raise InputError(self.location(name), "an entry of this name", "none")
        return self.read_tree(name).entry(rest) if rest else self[name]

    def location(self, path: str) -> str:
        where = f"{self.path}/{path}" if self.path else path
        return f"'{where}' in {self.file}"


def _described(entry: Entry) -> str:
    match entry:
        case str():
            return f"the text '{entry}'"
        case list():
            return f"a list of {len(entry)} texts"
        case np.ndarray():
            return f"an array of shape {entry.shape}"
        case StoredTree():
            return f"a group of {len(entry)} entries"
        case _:
            return f"the number {entry}"
