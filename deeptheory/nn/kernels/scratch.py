"""Arrays that are used again at every step instead of being allocated anew."""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

CACHE_LINE = 64  # bytes: a vector that lies across two lines costs two loads


def aligned(size: int, dtype: DTypeLike) -> NDArray[Any]:
    """An uninitialised flat array that begins at a cache line."""
    dtype = np.dtype(dtype)
    raw = np.empty(size * dtype.itemsize + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + size * dtype.itemsize].view(dtype)


class Scratch:
    """Named scratch arrays; asking again for a name overwrites what it held before."""

    def __init__(self) -> None:
        self._flat: dict[str, NDArray[Any]] = {}
        self._views: dict[tuple[str, tuple[int, ...], DTypeLike], NDArray[Any]] = {}  # into the flat arrays
        self._longest: dict[str, int] = {}  # row of a name

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, whether in use or not."""
        return sum(flat.nbytes for flat in self._flat.values())

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An uninitialised C-contiguous array; allocated only when the name needs more than before."""
        view = self._views.get((name, shape, dtype))
        if view is None:
            view = self._views[name, shape, dtype] = self._view(name, shape, dtype)
        return view

    def rows(self, name: str, n: int, size: int, dtype: DTypeLike) -> NDArray[Any]:
        """n uninitialised rows of `size` elements or more, each for a thread of its own.

        A row stays at its place whatever size is asked for. Otherwise a thread would write where another did for
        the layer before, and fetch every line from that one's cache.
        """
        longest = self._longest.get(name, 0)
        if size > longest:
            longest = self._longest[name] = -(-size // CACHE_LINE) * CACHE_LINE
        return self.array(name, (n, longest), dtype)

    def _view(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        size = math.prod(shape)
        flat = self._flat.get(name)
        if flat is None or flat.size < size or flat.dtype != dtype:
            flat = self._flat[name] = aligned(size, dtype)
            self._views = {key: view for key, view in self._views.items() if key[0] != name}
        return flat[:size].reshape(shape)
