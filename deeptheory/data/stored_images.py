"""Images that stay in their file, as a selection of rows whose grey levels are made when they are read."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.grey_levels import Range, to_levels
from deeptheory.data.image_axes import ordered
from deeptheory.data.stored_array import StoredArray
from deeptheory.system.memory import require_memory


@dataclass(frozen=True, eq=False)
class StoredImages:
    """Images (N, H, W, C) of grey levels; indexing by a slice or by rows selects, `read` reads.

    Parameters
    ----------
    array : StoredArray
        Images of any axes and type.
    axes : tuple of int
        Its axes in the order N, H, W, C (`image_axes.axes_of`).
    given : Range
        Its values of black and white.
    rows : int array (N,)
        The images selected, in this order.
    """

    array: StoredArray
    axes: tuple[int, ...]
    given: Range
    rows: NDArray[np.int64]

    dtype = np.dtype(np.uint8)
    ndim = 4

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, C)."""
        sizes = [self.array.shape[axis] for axis in self.axes[1:]]
        return len(self.rows), *sizes, *[1] * (3 - len(sizes))

    @property
    def nbytes(self) -> int:
        """Bytes of all of them, one for each grey level."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: slice | NDArray[Any]) -> "StoredImages":
        return replace(self, rows=self.rows[key])

    def read(self) -> NDArray[np.uint8]:
        """All of them, in memory."""
        return to_levels(ordered(self.array[self.rows], self.axes), self.given)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        require_memory(f"all {len(self)} images of {self.array.path}", self.nbytes, "take fewer of them")
        return self.read().astype(dtype or self.dtype, copy=False)


def in_memory(images: NDArray[Any] | StoredImages) -> NDArray[Any]:
    """Images as an array: read, where they are in a file."""
    return images.read() if isinstance(images, StoredImages) else images
