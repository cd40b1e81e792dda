"""Single-filter fields: the mean field that each filter alone gives each output unit for each label."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.measure.labels import class_means
from deeptheory.system.compiled import inner, njit, prange

BLOCK_BYTES = 2**27  # one block of float64 fields of `iterate_fields`: 128 MiB
WITHOUT_SIGN = np.int64(2**63 - 1)  # mask of the bits of a float64
INFINITE_BITS = np.array(np.inf).view(np.int64)[()]


def fields_from_class_means(
    means: NDArray[np.floating], probe_weight: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Field matrices of the filters of one stage from its class-mean activations.

    h_f[i,j] = sum_p W[j,f,p] A[i,f,p] ("Advanced deep architecture pruning using single filter performance",
    phase 3: every probe weight but those of filter f silenced; the field is linear in the activations, so the
    class means A suffice).

    Parameters
    ----------
    means : array (K, C, P)
        Class-mean activations, rows = label of the input.
    probe_weight : array (K, C, P)
        Weights of the probe, rows = output unit.

    Returns
    -------
    float64 array (C, K, K)
        Rows = label of the input, columns = output unit; in the units of the logits.

    Raises
    ------
    InputError
        The two shapes differ.

    Notes
    -----
    A large field does not mean that the filter alone recognises the label: the spread over the inputs of the
    label and the fields of the other filters are not in it. Needs C*K*K*8 bytes; `iterate_fields` does not.
    """
    check_same_shape(means, probe_weight)
    by_filter: NDArray[np.float64] = np.asarray(means, np.float64).transpose(1, 0, 2)  # (C, K, P)
    return by_filter @ np.asarray(probe_weight, np.float64).transpose(1, 2, 0)


def field_matrices(
    activations: NDArray[np.floating],
    labels: NDArray[np.integer],
    probe_weight: NDArray[np.floating],
    n_labels: int,
) -> NDArray[np.float64]:
    """Field matrices of the filters of one stage from its activations, see `fields_from_class_means`.

    Parameters
    ----------
    activations : array (N, C, P)
    labels : int array (N,)
    probe_weight : array (K, C, P)
    n_labels : int

    Returns
    -------
    float64 array (C, K, K)

    Raises
    ------
    InputError
        The shapes disagree, or a label is out of range or has no input.
    """
    activations = np.asarray(activations)
    if activations.ndim != 3:
        raise InputError("activations", "shape (N, C, P)", f"shape {activations.shape}")
    return fields_from_class_means(class_means(activations, labels, n_labels), probe_weight)


@dataclass(frozen=True)
class FieldBlock:
    """The fields (b, K, K) of the filters `filters` (a slice of the stage's filters)."""

    filters: slice
    fields: NDArray[np.float64]


def iterate_fields(means: NDArray[np.floating], probe_weight: NDArray[np.floating]) -> Iterator[FieldBlock]:
    """The fields of `fields_from_class_means`, a block of filters of at most 128 MiB at a time."""
    check_same_shape(means, probe_weight)
    n_labels, n_filters = means.shape[:2]
    block = max(1, BLOCK_BYTES // (8 * n_labels**2))
    for start in range(0, n_filters, block):
        filters = slice(start, min(start + block, n_filters))
        yield FieldBlock(filters, fields_from_class_means(means[:, filters], probe_weight[:, filters]))


def normalise(fields: NDArray[np.floating]) -> NDArray[np.float64]:
    """Fields in units of each filter's largest element, h_f / max(h_f).

    Parameters
    ----------
    fields : array (..., K, K)
        One field matrix or a stack of them.

    Returns
    -------
    float64 array (..., K, K)
        All zero for a filter whose largest element is not positive: dividing by a negative maximum would turn
        its matrix into ones.

    Raises
    ------
    InputError
        Fields that are not finite, which would look like a filter that serves nothing.
    """
    fields = np.asarray(fields, np.float64)
    check_finite(int(np.count_nonzero(~np.isfinite(fields).all(axis=(-2, -1)))))
    largest = fields.max(axis=(-2, -1), keepdims=True)
    positive = largest > 0
    return np.where(positive, fields / np.where(positive, largest, 1.0), 0.0)


def clip(fields: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Boolean field matrix B_f = h_f / max(h_f) > threshold.

    Parameters
    ----------
    fields : array (..., K, K)
        One field matrix or a stack of them.
    threshold : float
        Share of the filter's largest element, in [0, 1).

    Returns
    -------
    bool array (..., K, K)

    Raises
    ------
    InputError
        The threshold is out of range, or fields are not finite.

    Notes
    -----
    A filter whose largest element is not positive has no ones at all. A one does not mean a large field: the
    scale is each filter's own maximum.
    """
    check_threshold(threshold)
    return normalise(fields) > threshold


def check_threshold(threshold: float) -> None:
    """Refuse a threshold outside of [0, 1)."""
    if not 0 <= threshold < 1:
        raise InputError("threshold", "a number in [0, 1)", f"{threshold}")


def label_strengths(fields: NDArray[np.floating]) -> NDArray[np.float64]:
    """Normalised diagonal of every filter's field matrix.

    Parameters
    ----------
    fields : float array (C, K, K)
        Single-filter fields h_f[i, j]: rows are input labels, columns are outputs.

    Returns
    -------
    float64 array (C, K)
        r_f[i] = h_f[i, i] / max(h_f), 0 where max(h_f) <= 0: filter f serves label i at every threshold
        below r_f[i].

    Raises
    ------
    InputError
        Another shape, or fields that are not finite.

    Notes
    -----
    Rests on the clipping rule of "Advanced deep architecture pruning using single filter performance".
    A strength is relative to the filter's own maximum: it does NOT say how much the filter contributes to the
    complete field, and strengths of two filters cannot be compared as field sizes.
    """
    fields = np.asarray(fields, np.float64)
    if fields.ndim != 3 or fields.shape[1] != fields.shape[2]:
        raise InputError("fields", "shape (C, K, K)", f"shape {fields.shape}")
    return np.ascontiguousarray(np.diagonal(normalise(fields), axis1=1, axis2=2))


def check_finite(n_filters: int) -> None:
    """Refuse fields of which those of so many filters are not finite."""
    if n_filters:
        found = f"{n_filters} filters with NaN or infinite ones"
        raise InputError("fields", "finite numbers", found, "train with a smaller learning rate")


@inner
def clip_one(
    field: NDArray[np.float64],
    threshold: float,
    clipped: NDArray[np.bool_],
    strengths: NDArray[np.float64],
) -> bool:
    """Fill clipped (K, K) and strengths (K,) of one field (K, K), unless it is not finite: then True."""
    largest, size = _largest_bits(field.ravel().view(np.int64))
    if size >= INFINITE_BITS:
        return True
    # No ones and no strengths without a positive field.
    scale = np.int64(largest if largest else INFINITE_BITS)
    numbers = np.array([scale, _smallest_bits_above(scale, threshold)]).view(np.float64)
    _compare(field.ravel(), numbers[1], clipped.ravel())
    for i in range(len(field)):
        strengths[i] = field[i, i] / numbers[0]
    return False


@inner
def _largest_bits(bits: NDArray[np.int64]) -> tuple[np.int64, np.int64]:
    """Bits of the largest float64 of all, 0 if none is positive, and of the largest absolute value.

    Positive floats are ordered as their bits are, infinity and NaN last; bits of negative ones are negative.
    """
    largest, size = np.int64(0), np.int64(0)
    for k in range(bits.size):
        largest = max(largest, bits[k])
        size = max(size, bits[k] & WITHOUT_SIGN)
    return largest, size


@inner
def _smallest_bits_above(scale: np.int64, threshold: float) -> np.int64:
    """Bits of the smallest x for which x / scale > threshold in float64, by bisection: one division a bit."""
    numbers = np.array([scale, scale])
    x = numbers.view(np.float64)
    low, high = np.int64(0), np.int64(scale)
    while high - low > 1:
        numbers[0] = low + (high - low) // 2
        if x[0] / x[1] > threshold:
            high = numbers[0]
        else:
            low = numbers[0]
    return high


@inner
def _compare(numbers: NDArray[np.float64], bound: float, ones: NDArray[np.bool_]) -> None:
    for k in range(numbers.size):
        ones[k] = numbers[k] >= bound


@njit(parallel=True)
def _clip_all(
    fields: NDArray[np.float64],
    threshold: float,
    clipped: NDArray[np.bool_],
    strengths: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Fill clipped (C, K, K) and strengths (C, K); return which filters have fields that are not finite."""
    broken = np.zeros(len(fields), np.bool_)
    for f in prange(len(fields)):
        broken[f] = clip_one(fields[f], threshold, clipped[f], strengths[f])
    return broken


def clip_with_strengths(
    fields: NDArray[np.float64], threshold: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """``clip(fields, threshold), label_strengths(fields)`` of fields (C, K, K), compiled, bit by bit the same.

    `InputError` when fields are not finite or the threshold is out of range.
    """
    check_threshold(threshold)
    clipped = np.empty(fields.shape, np.bool_)
    strengths = np.empty(fields.shape[:2])
    check_finite(int(np.count_nonzero(_clip_all(fields, threshold, clipped, strengths))))
    return clipped, strengths


def check_same_shape(means: NDArray[np.floating], probe_weight: NDArray[np.floating]) -> None:
    """Refuse class means and probe weights that are not both (K, C, P)."""
    if means.ndim != 3 or means.shape != probe_weight.shape:
        raise InputError(
            "probe weight",
            f"the shape (K, C, P) of the class means, {means.shape}",
            f"{probe_weight.shape}",
            "reshape a head weight (K, C*P) to (K, C, P)",
        )
