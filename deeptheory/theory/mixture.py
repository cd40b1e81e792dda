"""Accuracy from fields when every label is a mixture of Gaussian components (sub-clusters)."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.theory.checks import check_fields, check_label_counts
from deeptheory.theory.gaussian_field import (
    FieldAccuracy,
    mean_accuracy,
    points_per_integral,
    probability_correct,
)
from deeptheory.theory.kmeans import k_means
from deeptheory.theory.orthant import block_size

# Per component, on average: no loss where labels have no components, a gain on trained networks (docs/theory.md).
_FEWEST_INPUTS = 3
# Directions in which the pooled variance is below this share of the largest are constant up to rounding.
_RANK_TOLERANCE = 1e-12


def mixture_components(
    fields: NDArray[np.floating], labels: NDArray[np.integer], rng: np.random.Generator, n_components: int = 6
) -> NDArray[np.int64]:
    """Split every label's inputs into components, once, for use with any head.

    k-means on the fields of the FULL (unmasked) head, whitened by the pooled within-label covariance. A label
    with n inputs gets at most n // 3 components (and at least one). Status: ours, a model of the structure
    inside a label. Source: deeptheory.

    Parameters
    ----------
    fields : float array (N, K)
        Fields of the full head on the measure split, to which neither the head nor the network was fitted.
    labels : int array (N,)
        Labels 0..K-1; every label needs at least 2 inputs.
    rng : numpy.random.Generator
        Draws the starting centres.
    n_components : int
        Largest number of components per label, at least 1.

    Returns
    -------
    int64 array (N,)
        Component of each input within its label. Components are groups of similar inputs, not sub-labels with a
        meaning; a label whose inputs all have the same fields is one component.

    Raises
    ------
    ValueError
        If shapes or labels do not fit, a label has fewer than 2 inputs, or n_components < 1.
    """
    if n_components < 1:
        raise ValueError(f"n_components must be at least 1, found {n_components}")
    check_fields(fields, labels)
    check_label_counts(labels, fields.shape[1], 2)
    whitened = _whiten(np.asarray(fields, dtype=np.float64), labels)
    components = np.zeros(len(labels), dtype=np.int64)
    for label in range(fields.shape[1]):
        rows = np.flatnonzero(labels == label)
        count = min(n_components, max(1, len(rows) // _FEWEST_INPUTS))
        if count > 1:
            components[rows] = k_means(whitened[rows], count, rng)
    return components


def accuracy_from_mixture(
    fields: NDArray[np.floating],
    labels: NDArray[np.integer],
    components: NDArray[np.integer] | None,
    rng: np.random.Generator,
) -> FieldAccuracy:
    r"""Accuracy when the fields of every component of every label are Gaussian.

    .. math:: \frac1K \sum_i \sum_c \pi_{ic} P(\arg\max_j H_j = i), \qquad
              H \sim N(W M_{ic}, W \Sigma_{ic} W^T)

    Status: model (ours). 0.6 points rms on CIFAR-10 over full, masked and refitted heads; about +1.5 points
    remain on refitted heads of 100 glyph labels (docs/results.md). Source: deeptheory. The fields enter
    through counts, means and covariances only.

    Finite samples: covariances are divided by n, not n - 1, because the sample mean already scatters with 1/n
    of the variance; with known covariances the prediction would then be exactly unbiased. The remaining bias, for
    Gaussian fields, 10 to 100 labels and one component each, was between -1.2 and +1.5 points at 20 inputs per
    label and between -0.5 and +0.6 at 50; with 1000 labels it was -2.0 at 20 inputs. Six components of 20 inputs
    made it no larger. Shrinkage towards the pooled covariance (Ledoit-Wolf) is not used: it removes the bias where
    all labels have similar covariances, but makes the prediction 3 to 7 points too high where they differ, as they
    do behind ReLUs.

    Parameters
    ----------
    fields : float array (N, K)
        Fields of a head, full, masked or refitted, on the measure split. The head must have been fitted to another
        split, or the prediction is too high.
    labels : int array (N,)
        Labels 0..K-1; every label needs at least 2 inputs.
    components : int array (N,) or None
        From `mixture_components` with the FULL head; None for one Gaussian per label.
    rng : numpy.random.Generator
        For the integration.

    Returns
    -------
    FieldAccuracy
        Not the counted accuracy of these inputs, which costs no more and must be shown beside it. A component of
        one input has covariance 0 and is counted.

    Raises
    ------
    ValueError
        If shapes or labels do not fit or a label has fewer than 2 inputs.
    """
    check_fields(fields, labels)
    n_labels = fields.shape[1]
    counts = check_label_counts(labels, n_labels, 2)
    if components is None:
        components = np.zeros(len(labels), dtype=np.int64)
    elif components.shape != labels.shape or components.min() < 0:
        raise ValueError(f"components must be numbers >= 0 of shape {labels.shape}, found {components.shape}")
    order = np.lexsort((components, labels))
    sorted_labels, sorted_fields = labels[order], np.asarray(fields, dtype=np.float64)[order]
    changed = (np.diff(sorted_labels) != 0) | (np.diff(components[order]) != 0)
    starts = np.concatenate([[0], np.flatnonzero(changed) + 1])
    groups = np.split(sorted_fields, starts[1:])  # one (n_c, K) array per component, sorted by label
    group_label = sorted_labels[starts].astype(np.int64)
    shares = np.array([len(group) for group in groups]) / counts[group_label]
    return mean_accuracy(*_integrate(groups, group_label, rng), group_label, shares, n_labels)


def _integrate(
    groups: list[NDArray[np.float64]], group_label: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n_points = points_per_integral(len(groups))
    probability, errors = np.empty(len(groups)), np.empty(len(groups))
    block = block_size(groups[0].shape[1], n_points)
    for start in range(0, len(groups), block):
        rows = slice(start, start + block)
        mean = np.stack([group.mean(axis=0) for group in groups[rows]])
        centred = [group - centre for group, centre in zip(groups[rows], mean, strict=True)]
        covariance = np.stack([points.T @ points / len(points) for points in centred])
        probability[rows], errors[rows] = probability_correct(
            group_label[rows], mean, covariance, rng, n_points, start
        )
    return probability, errors


def _whiten(fields: NDArray[np.float64], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Fields in coordinates where their pooled within-label covariance is the identity, (N, r), r <= K.

    r = 0 without any spread within labels, as behind a stage of dead filters.
    """
    counts = np.bincount(labels)
    sums = np.zeros((len(counts), fields.shape[1]))
    np.add.at(sums, labels, fields)
    centred = fields - (sums / counts[:, None])[labels]
    variance, direction = np.linalg.eigh(centred.T @ centred / (len(fields) - len(counts)))
    used = variance > _RANK_TOLERANCE * variance[-1]
    whitened: NDArray[np.float64] = fields @ (direction[:, used] / np.sqrt(variance[used]))
    return whitened
