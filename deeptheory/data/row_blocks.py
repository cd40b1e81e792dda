"""Large arrays in blocks of rows."""

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

BLOCK = 1 << 24  # bytes


def row_blocks(array: NDArray[Any]) -> Iterator[slice]:
    """The rows of about 16 MB, one block after the other."""
    step = max(1, BLOCK // max(1, array[:1].nbytes))
    yield from (slice(start, start + step) for start in range(0, len(array), step))
