"""Activations with 16 images as the lanes of a vector, and the way there and back from (N, H, W, C).

Group g of 16 images holds the vector of channel c at position p at element ((g*P + p)*C + c)*16, so that any
number of channels will do. Lanes that have no image are zero.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels.generated.lane_transposes import gather, scatter
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES, load, store
from deeptheory.system import threadpools
from deeptheory.system.compiled import inner, njit, prange, signed


def groups(n_images: int) -> int:
    """Number of groups of 16 images."""
    return -(-n_images // LANES)


def array(name: str, shape: tuple[int, ...], scratch: Scratch) -> NDArray[np.float32]:
    """Memory for activations of the shape (N, H, W, C) or (N, C), with images as lanes."""
    # Behind the end is what is read together with the last channels, and zeros for positions outside the image.
    size = groups(shape[0]) * math.prod(shape[1:]) * LANES + max(shape[-1], LANES) * LANES
    return scratch.array(name, (size,), np.float32)


def pack(x: NDArray[Any], out: NDArray[np.float32], scratch: Scratch) -> None:
    """Write `x` (N, H, W, C) or (N, C) into `out`, with images as lanes."""
    positions, channels = x[0].size // x.shape[-1], x.shape[-1]
    workers = threadpools.threads()
    block = scratch.array("packed block", (workers, LANES * LANES), np.float32)
    _pack(x.reshape(-1), out, len(x), positions, channels, groups(len(x)), block)


def unpack(x: NDArray[np.float32], out: NDArray[Any]) -> None:
    """Write what lies in `x` with images as lanes into `out` (N, H, W, C) or (N, C)."""
    positions, channels = out[0].size // out.shape[-1], out.shape[-1]
    _unpack(x, out.reshape(-1), len(out), positions, channels, groups(len(out)), threadpools.threads())


@inner
def _places(group, n_images, size, places):
    """Where the images of a group begin; as bits, which lanes have one."""
    bits = 0
    for lane in range(LANES):
        image = group * LANES + lane
        places[lane] = image * size
        if image < n_images:
            bits |= 1 << lane
    return bits


@njit(parallel=True)
def _pack(x, out, n_images, positions, channels, n_groups, block):
    workers = len(block)
    for index in prange(workers):
        worker = signed(index)
        tile, places = block[worker], np.empty(LANES, np.int64)
        for job in range(
            n_groups * positions * worker // workers, n_groups * positions * (worker + 1) // workers
        ):
            group, position = job // positions, job % positions
            bits = _places(group, n_images, positions * channels, places)
            for c in range(0, channels, LANES):
                wide = min(LANES, channels - c)
                gather(tile, 0, LANES, x, places, position * channels + c, bits, wide)
                for channel in range(wide):
                    store(out, (job * channels + c + channel) * LANES, load(tile, channel * LANES))


@njit(parallel=True)
def _unpack(x, out, n_images, positions, channels, n_groups, workers):
    for index in prange(workers):
        worker = signed(index)
        places = np.empty(LANES, np.int64)
        for job in range(
            n_groups * positions * worker // workers, n_groups * positions * (worker + 1) // workers
        ):
            group, position = job // positions, job % positions
            bits = _places(group, n_images, positions * channels, places)
            for c in range(0, channels, LANES):
                wide = min(LANES, channels - c)
                at = (job * channels + c) * LANES
                scatter(out, places, position * channels + c, bits, wide, x, at, LANES)
