"""The random warp from an outline to an image: its random numbers, and its compiled kernel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.dataset import Labels
from deeptheory.system.compiled import njit

ROTATION = 15.0  # degrees, in both directions
SCALE = (0.75, 1.1)  # along each axis independently
SHEAR = 0.2  # columns per row, in both directions
SHIFT = 0.08  # share of the side of the image, in both directions along each axis
CONTRAST = (40.0, 120.0)  # grey levels between character and background
BACKGROUND = (20.0, 110.0)  # mean grey level behind a bright character; mirrored behind a dark one
RELIEF = 30.0  # largest deviation in grey levels of the random grid of the background
GRID = 4  # nodes of that grid along a side
NOISE = (20.0, 40.0)  # standard deviation in grey levels of a 32 x 32 image, one for each image
NOISE_SIZE = 32  # a smaller image averages this noise over its larger pixels


@dataclass(frozen=True)
class Warp:
    """The random numbers for `n` images.

    Parameters
    ----------
    face : ndarray of int64 `(n,)`
        Index of the face.
    inverse : ndarray of float32 `(n, 2, 2)`
        Maps (row, column) offsets in the image to offsets in the outline.
    shift : ndarray of float32 `(n, 2)`
        Position of the centre of the character, as a share of the side.
    background : ndarray of float32 `(n, GRID, GRID)`
        Grey levels at the nodes of the background.
    contrast : ndarray of float32 `(n,)`
        Grey level of the character minus that of the background; it can be negative.
    noise : ndarray of float32 `(n, size, size)`
        Added to every pixel, in grey levels.
    """

    face: NDArray[np.int64]
    inverse: NDArray[np.float32]
    shift: NDArray[np.float32]
    background: NDArray[np.float32]
    contrast: NDArray[np.float32]
    noise: NDArray[np.float32]


def draw_warp(rng: np.random.Generator, n: int, size: int, n_faces: int) -> Warp:
    """Draw the warps of `n` images of `size` x `size` pixels."""
    angle = np.radians(rng.uniform(-ROTATION, ROTATION, n))
    scales = rng.uniform(*SCALE, (n, 2))
    cos, sin = np.cos(angle), np.sin(angle)
    rotate = np.stack([cos, -sin, sin, cos], -1).reshape(n, 2, 2)
    stretch = np.zeros((n, 2, 2))
    stretch[:, 0, 0], stretch[:, 1, 1] = scales.T
    stretch[:, 1, 0] = rng.uniform(-SHEAR, SHEAR, n)
    bright = rng.random(n) < 0.5
    level = rng.uniform(*BACKGROUND, n)
    level = np.where(bright, level, 255 - level)
    relief = rng.uniform(-RELIEF, RELIEF, (n, GRID, GRID))
    noise = rng.standard_normal((n, size, size), dtype=np.float32)
    noise *= (size / NOISE_SIZE * rng.uniform(*NOISE, (n, 1, 1))).astype(np.float32)
    return Warp(
        face=rng.integers(n_faces, size=n),
        inverse=np.linalg.inv(rotate @ stretch).astype(np.float32),
        shift=rng.uniform(-SHIFT, SHIFT, (n, 2)).astype(np.float32),
        background=(level[:, None, None] + relief).astype(np.float32),
        contrast=(np.where(bright, 1.0, -1.0) * rng.uniform(*CONTRAST, n)).astype(np.float32),
        noise=noise,
    )


def warp_images(outlines: NDArray[np.uint8], labels: Labels, warp: Warp) -> NDArray[np.uint8]:
    """Render one image for each of the labels.

    Parameters
    ----------
    outlines : ndarray of uint8 `(K, n_faces, S, S)`
        Coverage of every character in every face.
    labels : ndarray of int64 `(n,)`
        Character of each image.
    warp : Warp
        The random numbers of these images.

    Returns
    -------
    ndarray of uint8 `(n, size, size)`
    """
    images: NDArray[np.uint8] = _warp(
        outlines, labels, warp.face, warp.inverse, warp.shift, warp.background, warp.contrast, warp.noise
    )
    return images


@njit(nogil=True)
def _blend(grid: NDArray[Any], y: float, x: float) -> float:
    """Bilinear interpolation of a grid at (y, x), in units of its spacing."""
    row, column = int(y), int(x)
    down, right = y - row, x - column
    top = grid[row, column] * (1 - right) + grid[row, column + 1] * right
    bottom = grid[row + 1, column] * (1 - right) + grid[row + 1, column + 1] * right
    blended: float = top * (1 - down) + bottom * down
    return blended


@njit(nogil=True)
def _warp(
    outlines: NDArray[np.uint8],
    labels: Labels,
    face: NDArray[np.int64],
    inverse: NDArray[np.float32],
    shift: NDArray[np.float32],
    background: NDArray[np.float32],
    contrast: NDArray[np.float32],
    noise: NDArray[np.float32],
) -> NDArray[np.uint8]:
    n, size, _ = noise.shape
    side = outlines.shape[-1]
    samples = side // size  # per axis of a pixel, about one for each pixel of the outline
    last_node = background.shape[-1] - 1
    out = np.empty((n, size, size), np.uint8)
    for i in range(n):
        outline, m = outlines[labels[i], face[i]], inverse[i]
        row_step, column_step = m[:, 0] * side / (size * samples), m[:, 1] * side / (size * samples)
        for y in range(size):
            for x in range(size):
                # Offset of the first sample of the pixel from the centre of the character, as a share of the side.
                dy = (y + 0.5 / samples) / size - 0.5 - shift[i, 0]
                dx = (x + 0.5 / samples) / size - 0.5 - shift[i, 1]
                first_row = (m[0, 0] * dy + m[0, 1] * dx + 0.5) * side - 0.5
                first_column = (m[1, 0] * dy + m[1, 1] * dx + 0.5) * side - 0.5
                ink = 0.0
                for a in range(samples):
                    for b in range(samples):
                        row = first_row + a * row_step[0] + b * column_step[0]
                        column = first_column + a * row_step[1] + b * column_step[1]
                        if 0 <= row < side - 1 and 0 <= column < side - 1:
                            ink += _blend(outline, row, column)
                coverage = ink / (255.0 * samples * samples)
                behind = _blend(background[i], y / size * last_node, x / size * last_node)
                level = behind + contrast[i] * coverage + noise[i, y, x]
                out[i, y, x] = np.uint8(min(max(level + 0.5, 0.0), 255.0))
    return out
