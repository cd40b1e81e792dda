"""Large arrays in blocks of rows."""

from collections.abc import Iterator
from typing import Any, Protocol

BLOCK = 1 << 24  # bytes


class Rows(Protocol):
    """An array, or one in a file."""

    def __len__(self) -> int:
        """Number of rows."""

    def __getitem__(self, rows: slice) -> Any:
        """Some of them."""

    @property
    def nbytes(self) -> int:
        """Bytes of all of them."""


def row_blocks(array: Rows) -> Iterator[slice]:
    """The rows of about 16 MB, one block after the other."""
    step = max(1, BLOCK * len(array) // max(1, array.nbytes))
    yield from (slice(start, start + step) for start in range(0, len(array), step))
