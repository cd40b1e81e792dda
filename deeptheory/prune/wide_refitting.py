"""Refit of a layer with more weights per filter than a square matrix of them would fit into the memory."""

from collections.abc import Iterator

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from deeptheory.measure.patches import ROUNDING
from deeptheory.prune.refitting import RIDGE

WIDE = 6144  # weights per filter from which on no covariance of patches is formed: 8 D^2 bytes are 0.3 GB
LARGEST = 2**27  # elements of the patches that are held: 0.5 GB, 5349 patches of 25088
COLUMNS, FILTERS = 1024, 256  # taken to float64 at a time


def patches_of_wide(width: int) -> int:
    """Patches on which a wide layer is refitted at most."""
    return LARGEST // width


def refitted_wide(
    weight: NDArray[np.floating],
    mask: NDArray[np.bool_] | None,
    patches: NDArray[np.float32],
    outputs: NDArray[np.float32],
    centred: bool = True,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    r"""The least-squares weights of `refitting.refitted_layer`, from the patches themselves.

    With S the weights that a filter keeps, X the centred patches (n, D) and r the residual of its output, the
    change of the kept weights is

    .. math:: (X_S^T X_S + n\lambda)^{-1} X_S^T r = X_S^T (X_S X_S^T + n\lambda)^{-1} r

    of which the smaller matrix is formed, in float64, for one set of kept weights at a time.
    Status: exact for the patches given, as the other form; the two differ by rounding. Source: the identity of
    Woodbury.

    Parameters
    ----------
    weight : float array (B, ...)
        Of the intact layer.
    mask : bool array of the shape of `weight`, or None
        True where kept.
    patches : float32 array (n, D)
        That the layer now reads; overwritten.
    outputs : float32 array (n, B)
        Of the intact layer, without bias.
    centred : bool
        Whether the layer takes an offset.

    Returns
    -------
    weight : float32 array of the shape of `weight`
    offset : float64 array (B,)
        To be added to the outputs; 0 where not centred.
    """
    flat = weight.reshape(len(weight), -1)
    kept = np.ones(flat.shape, bool) if mask is None else mask.reshape(flat.shape)
    mean, output_mean = np.zeros(flat.shape[1]), np.zeros(len(flat))
    if centred:
        mean, output_mean = patches.mean(axis=0, dtype=np.float64), outputs.mean(axis=0, dtype=np.float64)
        patches -= mean.astype(np.float32)
    fitted = np.zeros(flat.shape, np.float32)
    trace = sum(float(np.einsum("nd,nd", block, block)) for _, block in _blocks(patches, slice(None)))
    if not centred or trace > len(patches) * ROUNDING**2 * np.sum(mean**2):
        ridge = RIDGE * trace / flat.shape[1]
        for filters, support in _by_support(kept):
            solve = _Solver(patches, support, ridge)
            for start in range(0, len(filters), FILTERS):
                some = filters[start : start + FILTERS]
                given = outputs[:, some] - output_mean[some]
                fitted[np.ix_(some, support)] = solve(flat[np.ix_(some, support)], given)
    offset = output_mean - fitted @ mean if centred else output_mean
    return fitted.reshape(weight.shape), offset


class _Solver:
    """Least squares on some columns of the patches; `ridge` is n lambda."""

    def __init__(self, patches: NDArray[np.float32], support: NDArray[np.int64], ridge: float) -> None:
        self.patches, self.support, (n, size) = patches, support, (len(patches), len(support))
        self.dual = n <= size
        small = np.zeros((min(n, size),) * 2)
        if self.dual:
            for _, block in _blocks(patches, support):
                small += block @ block.T
        else:
            for start in range(0, n, COLUMNS):
                rows = patches[start : start + COLUMNS, support].astype(np.float64)
                small += rows.T @ rows
        small[np.diag_indices_from(small)] += ridge
        self.factor = scipy.linalg.cho_factor(small, lower=True, overwrite_a=True, check_finite=False)

    def __call__(self, weight: NDArray[np.floating], outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights (B', S) of filters that keep these columns, for their outputs (n, B') less the offset."""
        refitted: NDArray[np.float64] = weight.astype(np.float64)
        residual = outputs.copy()
        for columns, block in _blocks(self.patches, self.support):
            residual -= block @ refitted[:, columns].T
        if self.dual:
            residual = scipy.linalg.cho_solve(self.factor, residual, check_finite=False)
            for columns, block in _blocks(self.patches, self.support):
                refitted[:, columns] += (block.T @ residual).T
            return refitted
        products = np.empty((len(self.support), len(refitted)))
        for columns, block in _blocks(self.patches, self.support):
            products[columns] = block.T @ residual
        refitted += scipy.linalg.cho_solve(self.factor, products, check_finite=False).T
        return refitted


def _blocks(
    patches: NDArray[np.float32], support: NDArray[np.int64] | slice
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """The chosen columns of the patches in float64, some at a time."""
    columns = np.arange(patches.shape[1])[support]
    for start in range(0, len(columns), COLUMNS):
        part = slice(start, start + COLUMNS)
        yield part, patches[:, columns[part]].astype(np.float64)


def _by_support(mask: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Filters that keep the same weights, and these; filters that keep none are left out."""
    packed = np.packbits(mask, axis=1)
    _, first, index = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    for number, row in enumerate(first):
        support = np.flatnonzero(mask[row])
        if len(support):
            yield np.flatnonzero(index.ravel() == number), support
