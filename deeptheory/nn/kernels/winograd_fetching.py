"""What Winograd's convolution reads and writes next is brought near while it multiplies.

The products of a chunk of tiles find all they need in the cache, and then the transforms wait for the memory. So
each of the products is preceded by a share of the fetching. A wrong place costs time, never a bit.
"""

from typing import NamedTuple

import numpy as np

from deeptheory.nn.kernels.compiled_kernel import Array
from deeptheory.nn.kernels.vectors import LANES, prefetch_far, prefetch_to_write
from deeptheory.nn.kernels.winograd_tiles import FREQUENCIES, TILE, tile_count
from deeptheory.system.compiled import inner


class Ahead(NamedTuple):
    """What is fetched while the tiles of a chunk are multiplied.

    Attributes
    ----------
    x, y : flat float32 arrays (N, H, W, C)
        `y` may be smaller by pooling, or empty.
    lead : int
        The tiles that are fetched are so many after those of the chunk.
    pooled : int
        Positions of `x` for each of `y`.
    """

    x: Array
    y: Array
    lead: int
    pooled: int


FAR = 1 << 18  # numbers of an array that is not in the cache anyway
_NOTHING = np.empty(0, np.float32)
NOTHING_AHEAD = Ahead(_NOTHING, _NOTHING, 0, 1)


class Span(NamedTuple):
    """Elements start..stop-1 of an array, of which one share after the other is fetched."""

    start: int
    stop: int
    share: int


@inner
def span(x, tile, count, shape, pooled):
    """What `count` tiles from `tile` on read or write and those before do not, or a little later.

    `x` is an array of images of that shape, with a position for each `pooled` of theirs; nothing if it is small.
    """
    height, width, channels = shape
    image, per_image = height * width * channels, tile_count(1, height, width)
    later = (TILE + 1) * width * channels  # the tiles of a row read the same lines, and one above and below
    start = (tile * image // per_image + later) // pooled
    stop = ((tile + count) * image // per_image + later) // pooled if x.size >= FAR else start
    return Span(start, stop, ((stop - start) // (LANES * FREQUENCIES) + 1) * LANES)


@inner
def fetch(x, place, k):
    """Fetch share k of 36."""
    first = place.start + k * place.share
    for at in range(first, min(first + place.share, place.stop), LANES):
        prefetch_far(x, at)


@inner
def fetch_to_write(x, place, k):
    """The same of what will be written."""
    first = place.start + k * place.share
    for at in range(first, min(first + place.share, place.stop), LANES):
        prefetch_to_write(x, at)
