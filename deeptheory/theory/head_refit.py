"""Refit of a masked head, predicted from the statistics of the labels: ridge regression, Gaussian surrogates."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

# Inputs rotated together: limits the cost to N * 256 * (D + 256) in all.
_LARGEST_ROTATION = 256


def ridge_head(
    second_moment: NDArray[np.float64],
    class_means: NDArray[np.float64],
    class_shares: NDArray[np.float64],
    mask: NDArray[np.bool_] | None = None,
    l2: float = 1e-2,
) -> NDArray[np.float64]:
    r"""Bias-free ridge regression on one-hot targets, each output restricted to its own support.

    .. math:: w_j = (G_{SS} + \lambda \bar g\, 1)^{-1} \pi_j (M_j)_S, \qquad \bar g = \mathrm{tr}\, G / D

    with S the kept inputs of output j. Status: model (ours) of the retrained head; exact as least squares.
    Source: deeptheory. One-hot targets are not centred: without a mask centring only adds the same field to
    every output, and with masks chosen by label it lowered the accuracy (5 to 9 points at densities of 0.1 and
    0.05 on synthetic data; with random masks it gained up to 3).

    G, M and the shares come from the split to which the head is fitted (train); predict the accuracy with
    statistics of ANOTHER split (measure).

    Parameters
    ----------
    second_moment : float64 array (D, D)
        G = <a a^T> over inputs, not centred.
    class_means : float64 array (K, D)
        M_j, mean activations of label j.
    class_shares : float64 array (K,)
        Share of the inputs of each label, positive, summing to 1.
    mask : bool array (K, D), optional
        True where a weight is kept. An output without inputs gets zero weights.
    l2 : float
        lambda > 0 in units of the mean second moment of one activation. The default regularises only directions a
        hundred times weaker than the mean. It was not tuned: between 1e-4 and 1e-1 results changed by at most 2.4
        points.

    Returns
    -------
    float64 array (K, D)
        Head W, zero outside the mask. It is not the cross-entropy optimum, and at low density (10% and less) it
        can be many points worse, as every output is fitted independently of the others: there prefer a logistic
        fit to `gaussian_surrogates`.

    Raises
    ------
    ValueError
        If the shapes disagree, the shares are not positive with sum 1, l2 <= 0, or G is not positive
        semi-definite.
    """
    _check_ridge(second_moment, class_means, class_shares, mask, l2)
    targets = class_shares[:, None] * class_means
    regularised = second_moment.copy()
    np.fill_diagonal(regularised, np.diag(second_moment) + l2 * np.trace(second_moment) / len(second_moment))
    try:
        if mask is None:
            full: NDArray[np.float64] = scipy.linalg.solve(regularised, targets.T, assume_a="pos").T
            return full
        head = np.zeros_like(targets)
        for output, kept in enumerate(mask):
            support = np.flatnonzero(kept)
            if support.size:
                block = regularised[np.ix_(support, support)]
                head[output, support] = scipy.linalg.solve(block, targets[output, support], assume_a="pos")
    except np.linalg.LinAlgError:
        raise ValueError("second_moment must be positive semi-definite and not zero") from None
    return head


def gaussian_surrogates(
    features: NDArray[np.floating],
    labels: NDArray[np.integer],
    components: NDArray[np.integer] | None,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    r"""Surrogate activations: as many as inputs, Gaussian, with their components' sample moments exactly.

    .. math:: a'_k = \bar a_c + \sum_{l \in c} Q_{kl} (a_l - \bar a_c), \qquad Q Q^T = 1, \quad Q 1 = 1

    with Q uniformly distributed over such rotations, so that the mean and the covariance of every component (in
    parts of at most 256 inputs) are those of its inputs, without forming the (D, D) covariance. A logistic head
    fitted to surrogates (with the mask) predicts the head refitted to the inputs: surrogates have the same means
    and covariances, sampling errors included, and no other structure. Status: model (ours). Source: deeptheory.

    Independent draws would add the sampling error a second time: with 40 inputs per label, heads fitted to as many
    draws were up to 5 points worse than the refit, where these are within 0.6 (100 glyphs, docs/results.md).
    `ridge_head` is worse than either at low density.

    Parameters
    ----------
    features : float array (N, D)
        Activations of the split to which the head is fitted (train); predict its accuracy with another split
        (measure).
    labels : int array (N,)
    components : int array (N,) or None
        Component of each input within its label; None for one Gaussian per label. The inputs of a component of one
        or two are their own surrogates.
    rng : numpy.random.Generator

    Returns
    -------
    surrogates : float32 array (N, D)
        Sorted by label. They may be negative where activations after a ReLU cannot: only two moments are kept. A
        surrogate corresponds to no single input.
    surrogate_labels : int64 array (N,)

    Raises
    ------
    ValueError
        If the shapes disagree, or a label has fewer than 2 inputs.
    """
    if features.ndim != 2 or labels.shape != (len(features),) or not len(labels):
        raise ValueError(
            "features must be (N, D) and labels (N,) with N at least 1, "
            f"found {features.shape} and {labels.shape}"
        )
    if components is None:
        components = np.zeros(len(labels), np.int64)
    elif components.shape != labels.shape:
        raise ValueError(f"components must be {labels.shape}, found {components.shape}")
    present, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        few = int(counts.argmin())
        raise ValueError(f"every label needs at least 2 inputs, found {counts[few]} of label {present[few]}")
    shuffled = rng.permutation(len(labels))  # so that the parts of a component are random
    order = shuffled[np.lexsort((components[shuffled], labels[shuffled]))]
    changed = (np.diff(labels[order]) != 0) | (np.diff(components[order]) != 0)
    surrogates = np.empty(features.shape, np.float32)
    start = 0
    for end in [*(np.flatnonzero(changed) + 1), len(order)]:
        for rows in np.array_split(np.arange(start, end), 1 + (end - start - 1) // _LARGEST_ROTATION):
            points = features[order[rows]]
            mean = points.mean(axis=0)
            surrogates[rows] = mean + _rotation(len(rows), rng) @ (points - mean)
        start = end
    return surrogates, labels[order].astype(np.int64)


def _rotation(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """An orthogonal matrix drawn uniformly from those that leave the vector of ones as it is."""
    bases = rng.standard_normal((2, size, size))
    bases[:, :, 0] = 1.0
    orthogonal, triangular = np.linalg.qr(bases)
    one, other = orthogonal * np.sign(np.einsum("bii->bi", triangular))[:, None]  # Mezzadri (2007)
    rotation: NDArray[np.float32] = (one @ other.T).astype(np.float32)
    return rotation


def _check_ridge(
    second_moment: NDArray[np.float64],
    class_means: NDArray[np.float64],
    class_shares: NDArray[np.float64],
    mask: NDArray[np.bool_] | None,
    l2: float,
) -> None:
    n_labels, width = class_means.shape
    if second_moment.shape != (width, width) or class_shares.shape != (n_labels,):
        raise ValueError(
            f"second_moment must be {(width, width)} and class_shares {(n_labels,)}, "
            f"found {second_moment.shape} and {class_shares.shape}"
        )
    if mask is not None and (mask.shape != class_means.shape or mask.dtype != np.bool_):
        raise ValueError(f"mask must be bool {class_means.shape}, found {mask.dtype} {mask.shape}")
    if not (class_shares.min() > 0 and abs(class_shares.sum() - 1) < 1e-6):
        raise ValueError(f"class_shares must be positive with sum 1, found sum {class_shares.sum():.6g}")
    if not l2 > 0:
        raise ValueError(f"l2 must be within (0, inf), found {l2}")
