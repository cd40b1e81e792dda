"""Fields as few small whole numbers, which scripts clip at the thresholds of a run as `measure.clip` does."""

import base64
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import measure

COARSEST = 0.02  # largest error of an element, in units of the largest absolute element of its filter
ABOVE = 1e-12  # what scripts add to a threshold to be above it


def precision(n_labels: int) -> float:
    """Largest error of an element, in units of the largest absolute element of its filter.

    0.02, and 1/K above 50 labels: of the K*K elements fewer are then on the wrong side of a threshold.
    """
    return min(COARSEST, 1 / n_labels)


@dataclass(frozen=True)
class Code:
    """The field of one filter.

    Attributes
    ----------
    numbers : int16 array (2, R, K), or (K, K)
        Rows u_r and columns v_r of R outer products, or the elements themselves.
    exponent : int
        Element (i, j) is ``2**-exponent * sum_r u_r[i] * v_r[j]``, or that power of two times the number.
    moved : int64 array (M,)
        Flat positions of the elements that are on another side of a threshold than those of the run.
    places : uint8 array (M,)
        Where they belong: 2t at threshold number t, 2t + 1 just above it.
    """

    numbers: NDArray[np.int16]
    exponent: int
    moved: NDArray[np.int64]
    places: NDArray[np.uint8]

    def field(self, thresholds: Sequence[float]) -> NDArray[np.float64]:
        """The elements as scripts compute them, to the bit: the sums are of whole numbers."""
        elements = 2.0**-self.exponent * _summed(self.numbers)
        values = [value for threshold in thresholds for value in (threshold, threshold + ABOVE)]
        elements.reshape(-1)[self.moved] = np.array(values)[self.places]
        return elements


def encode(
    means: NDArray[np.floating], probe_weight: NDArray[np.floating], thresholds: Sequence[float]
) -> Iterator[Code]:
    """The fields of a stage in units of each filter's largest element, filter by filter.

    h_f[i,j] = sum_p A[i,f,p] W[j,f,p] has a rank of at most P. With fewer than K/2 positions the singular value
    decomposition has fewer numbers than the K*K elements.

    Parameters
    ----------
    means, probe_weight : array (K, C, P)
        As `measure.fields_from_class_means` takes them.
    thresholds : sequence of float
        Where clipping is exact.

    Yields
    ------
    Code
        All elements to `precision`; clipped at one of the thresholds they are ``measure.clip(fields, threshold)``.

    Notes
    -----
    A filter without a positive element is zero everywhere, as `measure.normalise` has it.
    """
    factored = 2 * means.shape[2] < means.shape[0]
    for block in measure.iterate_fields(means, probe_weight):
        first = block.filters.start
        for index, field in enumerate(measure.normalise(block.fields), start=first):
            allowed = precision(len(field)) * max(1.0, float(np.abs(field).max()))
            if factored:
                largest = float(block.fields[index - first].max())
                numbers, exponent = _products(
                    means[:, index], probe_weight[:, index], largest, field, allowed
                )
            else:
                exponent = int(np.ceil(-np.log2(2 * allowed)))
                numbers = np.rint(field * 2.0**exponent).astype(np.int16)
            yield Code(numbers, exponent, *_moved(2.0**-exponent * _summed(numbers), field, thresholds))


def _products(
    means: NDArray[np.floating],
    weight: NDArray[np.floating],
    largest: float,
    field: NDArray[np.float64],
    allowed: float,
) -> tuple[NDArray[np.int16], int]:
    """Rows and columns of the fewest and coarsest outer products that are as precise as allowed."""
    if largest <= 0:
        return np.zeros((2, 0, len(field)), np.int16), 0
    rows, row_mix = np.linalg.qr(np.asarray(means, np.float64))
    columns, column_mix = np.linalg.qr(np.asarray(weight, np.float64))
    left, values, right = np.linalg.svd(row_mix @ column_mix.T / largest)
    scale = np.sqrt(values)  # rows and columns of the same length: an error in either costs the same
    factors = np.stack([(rows @ (left * scale)).T, (columns @ (right.T * scale)).T])
    exponent = int(np.floor(-np.log2(allowed))) - 6  # too coarse
    every = max(1, len(field) // 32)  # some rows show too coarse a step already
    while True:
        numbers = np.rint(factors * 2.0 ** (exponent / 2)).astype(np.int16)
        if all(_error(numbers, exponent, field, step) <= allowed for step in (every, 1)):
            return numbers[:, numbers.any(axis=2).all(axis=0)], exponent
        exponent += 1


def _summed(numbers: NDArray[np.int16]) -> NDArray[np.float64]:
    """Sums of outer products, exact in float64; numbers of the elements themselves as they are."""
    if numbers.ndim == 2:
        return numbers.astype(np.float64)
    rows, columns = numbers.astype(np.float64)
    summed: NDArray[np.float64] = rows.T @ columns
    return summed


def _error(numbers: NDArray[np.int16], exponent: int, field: NDArray[np.float64], every: int) -> float:
    """The largest error in every so-manyth row."""
    rows, columns = numbers.astype(np.float64)
    return float(np.abs(2.0**-exponent * (rows[:, ::every].T @ columns) - field[::every]).max())


def _moved(
    coded: NDArray[np.float64], field: NDArray[np.float64], thresholds: Sequence[float]
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Positions and places of the elements that are on the wrong side of a threshold."""
    places = np.full(field.size, -1)
    for number, threshold in enumerate(thresholds):
        above = (field > threshold).ravel()
        places[above & (coded <= threshold).ravel()] = (
            2 * number + 1
        )  # the highest threshold that it is above
    for number, threshold in reversed(list(enumerate(thresholds))):
        below = (field <= threshold).ravel()
        places[below & (coded > threshold).ravel()] = 2 * number  # the lowest that it is not above
    moved = np.flatnonzero(places >= 0)
    return moved, places[moved].astype(np.uint8)


def arrays_of(codes: Sequence[Code]) -> list[NDArray[Any]]:
    """The codes of a stage, for `packed`, in the order in which scripts read them.

    Number of outer products (C,) uint16, exponents (C,) int8, number of moved elements (C,) uint32; their
    positions, each as the distance from the one before in its filter, uint32, and their places, uint8; then all
    numbers, first product of all filters, second product of all, ..., zigzag (0, -1, 1, -2, ...): low bytes, high
    bytes.
    """
    n_products = [0 if code.numbers.ndim == 2 else code.numbers.shape[1] for code in codes]
    if codes[0].numbers.ndim == 2:
        ordered = [code.numbers for code in codes]
    else:
        ordered = [
            code.numbers[:, product]
            for product in range(max(n_products))
            for code, count in zip(codes, n_products, strict=True)
            if product < count
        ]
    numbers = np.concatenate([np.zeros(0, np.int16), *(one.ravel() for one in ordered)])
    zigzag = np.where(numbers < 0, -2 * numbers.astype(np.int32) - 1, 2 * numbers.astype(np.int32)).astype(
        "<u2"
    )
    return [
        np.array(n_products, "<u2"),
        np.array([code.exponent for code in codes], np.int8),
        np.array([len(code.moved) for code in codes], "<u4"),
        np.concatenate([np.diff(code.moved, prepend=0) for code in codes]).astype("<u4"),
        np.concatenate([code.places for code in codes]),
        (zigzag & 255).astype(np.uint8),
        (zigzag >> 8).astype(np.uint8),
    ]


def packed(*arrays: NDArray[Any]) -> str:
    """Concatenated arrays as text: gzip in base64, the same for the same arrays."""
    content = b"".join(array.tobytes() for array in arrays)
    return base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii")
