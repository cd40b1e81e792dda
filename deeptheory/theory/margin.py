"""Margins of the fields, and a guaranteed lower bound on accuracy after a bounded change of the fields."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deeptheory.theory.checks import check_fields


def margin_certificate(margins: ArrayLike, delta: ArrayLike) -> NDArray[np.float64]:
    r"""Accuracy that survives any change of the fields by at most delta.

    If a mask changes every field by at most delta, the margin of an input (field of its true label minus the
    largest rival) changes by at most 2 delta, so every input with margin > 2 delta stays correct.

    Status: exact for the given inputs; for other inputs an estimate with the usual sampling error. Source:
    deeptheory.

    Parameters
    ----------
    margins : array_like (N,)
        Field of the true label minus the largest rival field, per input, before the mask (negative when
        wrong).
    delta : array_like
        Largest absolute change of any field, >= 0: one number, an array (T,) of several bounds to evaluate,
        or (T, N) with a bound per input.

    Returns
    -------
    float64 array of shape () or (T,)
        Guaranteed share of correct inputs. A low value does not mean that accuracy is lost: the bound assumes the
        worst case for every rival and every input at once.

    Raises
    ------
    ValueError
        If `margins` is not one non-empty finite vector, or a delta is negative or of another shape.
    """
    values = np.asarray(margins, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.all(np.isfinite(values)):
        raise ValueError(f"margins must be a finite vector of at least one input, found shape {values.shape}")
    bounds = np.asarray(delta, dtype=np.float64)
    if not np.all(bounds >= 0):
        raise ValueError(f"delta must be within [0, inf), found {bounds}")
    if bounds.ndim < 2:
        bounds = bounds[..., None]
    elif bounds.ndim > 2 or bounds.shape[1] != values.size:
        raise ValueError(f"delta must be a number, (T,) or (T, {values.size}), found shape {bounds.shape}")
    share: NDArray[np.float64] = np.mean(values > 2 * bounds, axis=-1)
    return share


def field_margins(fields: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Field of the true label minus the largest rival, for every input: what `margin_certificate` takes.

    Status: exact, a definition. Source: deeptheory.

    Parameters
    ----------
    fields : float array (N, K)
        Complete fields of a head, K at least 2.
    labels : int array (N,)
        Labels 0..K-1.

    Returns
    -------
    float64 array (N,)
        Positive where the input is correct. In units of the fields, which differ between heads.

    Raises
    ------
    ValueError
        If shapes or labels do not fit, or a field is not finite.
    """
    check_fields(fields, labels)
    rivals = np.array(fields, dtype=np.float64)
    true_field = rivals[np.arange(len(labels)), labels]
    rivals[np.arange(len(labels)), labels] = -np.inf
    margins: NDArray[np.float64] = true_field - rivals.max(axis=1)
    return margins
