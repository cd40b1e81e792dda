"""Grey levels 0..255 from images of other types, where their values have one meaning."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.row_blocks import row_blocks
from deeptheory.data.stored_array import StoredArray
from deeptheory.errors import InputError

LEVELS = 255
WHOLE = 0.01  # grey levels; rounding to float32 after a normalisation gives less than 0.001
FINITE = (
    "leave them out: good = np.isfinite(images).reshape(len(images), -1).all(axis=1); "
    "images, labels = images[good], labels[good]"
)
RESCALED = (
    "name the values that are black and white: "
    "images = np.rint(np.clip((images - black) / (white - black), 0, 1) * 255).astype(np.uint8)"
)
DOUBLED = "scale them: images = 255 * images"


class Range(NamedTuple):
    """The values of black and of white."""

    black: float
    white: float

    def __str__(self) -> str:
        return f"values from {self.black:g} to {self.white:g}"


UNIT, BYTES, SIGNED = Range(0, 1), Range(0, LEVELS), Range(-1, 1)


@dataclass
class Survey:
    """What is known of the values of images after one pass over them.

    Attributes
    ----------
    lowest, highest : float
    deviations : dict of Range to float
        How far a value is at most from a whole grey level, in levels, where black and white are such.
    """

    lowest: float = np.inf
    highest: float = -np.inf
    deviations: dict[Range, float] = field(default_factory=lambda: {BYTES: 0.0, SIGNED: 0.0})

    def add(self, block: NDArray[Any]) -> None:
        """Take more images into account; those that are not finite raise a ValueError."""
        if not block.size:
            return
        self.lowest, self.highest = (
            min(self.lowest, float(block.min())),
            max(self.highest, float(block.max())),
        )
        if not np.isfinite([self.lowest, self.highest]).all():
            raise ValueError("not finite")
        if block.dtype.kind == "f":
            for given, deviation in self.deviations.items():
                levels = scaled(block, given)
                self.deviations[given] = max(deviation, float(np.abs(levels - np.rint(levels)).max()))

    def within(self, given: Range) -> bool:
        """Whether all values are from black to white."""
        slack = WHOLE * (given.white - given.black) / LEVELS
        return given.black - slack <= self.lowest and self.highest <= given.white + slack


def range_of(what: str, images: NDArray[Any] | StoredArray) -> Range:
    """The values of black and white in images `(N, ...)`, as far as their type and values leave no doubt.

    - Truth values, and floats in [0, 1]: 0 and 1.
    - Whole numbers in 0..255, of whatever type: 0 and 255.
    - Floats in [-1, 1], some negative, that are whole grey levels to within 0.01: -1 and 1.

    Raises
    ------
    InputError
        The values are others, are not finite, or leave all images within the darkest 2 of 256 levels.
    """
    survey, kind = Survey(), images.dtype.kind
    if kind not in "biuf":
        raise InputError(what, "numbers", f"values of type {images.dtype}")
    for rows in row_blocks(images):
        block = images[rows]
        try:
            survey.add(block)
        except ValueError as failure:
            bad = ~np.isfinite(block)
            first = rows.start + int(np.flatnonzero(bad.reshape(len(block), -1).any(axis=1))[0])
            found = f"values that are NaN or infinite, the first in image {first}"
            raise InputError(what, "finite numbers", found, FINITE) from failure
        if images.dtype == np.uint8 and survey.highest > 1:
            return BYTES
    given = _range(survey, kind)
    if given is None:
        expected = "truth values, whole numbers from 0 to 255, or floats from 0 to 1"
        values = f"{images.dtype} from {survey.lowest:g} to {survey.highest:g}"
        raise InputError(what, expected, values, RESCALED)
    if survey.highest > 0 and scaled(survey.highest, given) < 1.5:
        levels = f"{images.dtype} up to {survey.highest:g}, of which only black is left"
        raise InputError(what, f"{given}", levels, DOUBLED)
    return given


def _range(survey: Survey, kind: str) -> Range | None:
    if kind == "b" or (kind == "f" and survey.within(UNIT)):
        return UNIT
    if survey.within(BYTES) and (kind != "f" or survey.deviations[BYTES] <= WHOLE):
        return BYTES
    if kind == "f" and survey.within(SIGNED) and survey.deviations[SIGNED] <= WHOLE:
        return SIGNED
    return None


def scaled(images: Any, given: Range) -> NDArray[np.float64]:
    """Images as grey levels, not yet rounded."""
    return (np.asarray(images, np.float64) - given.black) * (LEVELS / (given.white - given.black))


def to_levels(images: NDArray[Any], given: Range) -> NDArray[np.uint8]:
    """Images as uint8, rounded to whole grey levels; those that are uint8 are not copied."""
    if images.dtype == np.uint8:
        return images
    levels = np.empty(images.shape, np.uint8)
    for rows in row_blocks(images):
        levels[rows] = np.rint(scaled(images[rows], given))
    return levels
