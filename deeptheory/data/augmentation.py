"""Random shifts and flips of a batch, and the scaling of grey levels to [-1, 1]; word ids stay as they are."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.dataset import Images
from deeptheory.data.stored_images import StoredImages, in_memory
from deeptheory.data.texts import IDS
from deeptheory.system.compiled import njit

Inputs = NDArray[np.float32]  # (N, H, W, C), scaled to [-1, 1]
HALF_RANGE = np.float32(127.5)  # grey levels 0..255 become (level - 127.5) / 127.5


def scale(images: Images) -> Inputs:
    """Grey levels `(..., )` uint8 as float32 in [-1, 1]: 0 is -1, 255 is 1; ids uint16 as the same numbers."""
    if images.dtype == IDS:
        return in_memory(images).astype(np.float32)
    return (in_memory(images).astype(np.float32) - HALF_RANGE) / HALF_RANGE


@njit(nogil=True)
def _gather(images: NDArray[np.uint8], index: NDArray[np.int64], out: Inputs) -> None:
    for n in range(len(index)):
        levels, scaled = images[index[n]], out[n]
        for i in range(levels.size):
            scaled[i] = (np.float32(levels[i]) - HALF_RANGE) / HALF_RANGE


def gather(images: Images | Inputs, index: NDArray[np.int64], out: Inputs) -> Inputs:
    """``scale(images[index])`` written into the first rows of `out`, which are returned.

    Parameters
    ----------
    images : ndarray of uint8 `(N, H, W, C)`
        Or inputs that are scaled already, float32 `(N, ...)`, or word ids uint16, which are copied unchanged.
    index : ndarray of int64 `(n,)`
    out : ndarray of float32 `(n or more, H, W, C)`
    """
    chosen = out[: len(index)]
    if isinstance(images, StoredImages):
        images, index = images[index].read(), np.arange(len(index))
    if images.dtype == IDS:
        chosen[:] = images[index]
        return chosen
    if images.dtype == np.float32:
        return np.take(images, index, axis=0, out=chosen, mode="clip")  # "raise" would copy first
    _gather(np.ascontiguousarray(images).reshape(len(images), -1), index, chosen.reshape(len(index), -1))
    return chosen


def draw(
    rng: np.random.Generator, n: int, shift: int, flip: bool
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Draw the augmentation of `n` images.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the draws.
    n : int
        Number of images.
    shift : int
        Largest shift in pixels; shifts are uniform in -shift..shift along each axis.
    flip : bool
        Whether to mirror each image left to right with probability 1/2.

    Returns
    -------
    shifts : ndarray of int64 `(n, 2)`
        Rows down and columns to the right.
    flips : ndarray of bool `(n,)`
    """
    shifts = rng.integers(-shift, shift + 1, (n, 2))
    flips = rng.random(n) < 0.5 if flip else np.zeros(n, np.bool_)
    return shifts, flips


def batch(
    images: Images, index: NDArray[np.int64], shifts: NDArray[np.int64], flips: NDArray[np.bool_]
) -> Inputs:
    """Gather a batch, mirror, then shift each image, and scale to [-1, 1].

    Parameters
    ----------
    images : ndarray of uint8 `(N, H, W, C)`
        All images.
    index : ndarray of int64 `(n,)`
        The images of the batch.
    shifts : ndarray of int64 `(n, 2)`
        Rows down and columns to the right; the border that appears is black (grey level 0, scaled -1).
    flips : ndarray of bool `(n,)`
        Images mirrored left to right.

    Returns
    -------
    ndarray of float32 `(n, H, W, C)`
        Of texts, uint16 `(N, T, 1, 1)`, the ids, which are neither shifted nor mirrored.
    """
    if images.dtype == IDS:
        return scale(images[index])
    if isinstance(images, StoredImages):
        images, index = images[index].read(), np.arange(len(index))
    inputs: Inputs = _batch(images, index, shifts, flips)
    return inputs


@njit(nogil=True)
def _batch(
    images: NDArray[np.uint8], index: NDArray[np.int64], shifts: NDArray[np.int64], flips: NDArray[np.bool_]
) -> Inputs:
    _, height, width, channels = images.shape
    out = np.full((len(index), height, width, channels), np.float32(-1.0))
    for n in range(len(index)):
        down, right = shifts[n]
        for y in range(max(0, down), min(height, height + down)):
            for x in range(max(0, right), min(width, width + right)):
                source = x - right
                if flips[n]:
                    source = width - 1 - source
                for c in range(channels):
                    level = np.float32(images[index[n], y - down, source, c])
                    out[n, y, x, c] = (level - HALF_RANGE) / HALF_RANGE
    return out
