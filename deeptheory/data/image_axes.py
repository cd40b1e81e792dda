"""Which axis of an array of images is which."""

import math
from typing import Any

from numpy.typing import NDArray

from deeptheory.errors import InputError

USUAL = (1, 3)  # channels of grey and of colour images
EXPECTED = "(N, H, W, C), (N, C, H, W) or grey (N, H, W)"


def axes_of(what: str, shape: tuple[int, ...], n_labels: int) -> tuple[int, ...]:
    """The axes in the order N, H, W, C; without the last for grey images (N, H, W).

    The channels are the axis of 1 or 3, or of fewer than the two others.

    Parameters
    ----------
    what : str
        The images, for the error.
    shape : tuple of int
    n_labels : int
        How many inputs there are.

    Raises
    ------
    InputError
        None of the axes can be that of the channels, or two; or the inputs lie along another axis.
    """
    if len(shape) > 1 and shape[0] != n_labels and shape[-1] == n_labels:
        do = "images = np.moveaxis(images, -1, 0)"
        raise InputError(what, f"{n_labels} images along the first axis", f"shape {shape}", do)
    if len(shape) == 2:
        raise InputError(
            what, f"shape {EXPECTED}", f"{shape}", f"images = images.reshape({_unrolled(shape)})"
        )
    if len(shape) == 3:
        return 0, 1, 2
    if len(shape) != 4:
        raise InputError(what, f"shape {EXPECTED}", f"{shape}")
    _, first, middle, last = shape
    is_last = last in USUAL or last < min(first, middle)
    is_first = first in USUAL or first < min(middle, last)
    if is_last == is_first:
        found = f"{shape}, where {'either' if is_last else 'neither'} may be that of the channels"
        pad = max(2, last - min(first, middle) + 1)
        border = f"((0, 0), ({pad}, {pad}), ({pad}, {pad}), (0, 0))"
        do = f"where it is the last, add a border: images = np.pad(images, {border})"
        raise InputError(what, f"shape {EXPECTED} with fewer channels than rows and columns", found, do)
    return (0, 1, 2, 3) if is_last else (0, 2, 3, 1)


def _unrolled(shape: tuple[int, ...]) -> str:
    """The shape that rows of pixels may have had, as one writes it."""
    for channels in USUAL:
        side = math.isqrt(shape[1] // channels)
        if channels * side**2 == shape[1]:
            return f"-1, {side}, {side}" if channels == 1 else f"-1, {channels}, {side}, {side}"
    return "-1, rows, columns"


def ordered(images: NDArray[Any], axes: tuple[int, ...]) -> NDArray[Any]:
    """Images as (N, H, W, C), of one channel where they have no axis for it; not copied."""
    moved = images.transpose(axes)
    return moved[..., None] if moved.ndim == 3 else moved
