"""Accuracy of a head from first and second moments alone: the plain Gaussian field theory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.theory.orthant import block_size, orthant_probability

# Integrand evaluations over all integrals; the error averages over labels, so many labels need few points
# each.
_POINT_BUDGET = 6400
_FEWEST_POINTS = 16
_MOST_POINTS = 1024


@dataclass(frozen=True)
class FieldAccuracy:
    """A predicted accuracy.

    Attributes
    ----------
    accuracy : float
        Mean over labels of the probability that the true label's field is the largest (every label counts
        alike).
    standard_error : float
        Error of the numerical integration only: neither the sampling error of the statistics nor the error of
        the Gaussian model is in it.
    per_label : float64 array (K,)
        The probability for each label; weigh it by label shares for an unbalanced data set.
    """

    accuracy: float
    standard_error: float
    per_label: NDArray[np.float64]


def accuracy_from_fields(
    mean: NDArray[np.float64], covariance: NDArray[np.float64], rng: np.random.Generator
) -> FieldAccuracy:
    r"""Accuracy when the fields of every label are Gaussian.

    .. math:: \frac1K \sum_i P(\arg\max_j H_j = i), \qquad H \sim N(m_i, S_i)

    Status: model (ours): exact for Gaussian fields. On trained networks it over-predicts by 3 to 5 points
    because labels have sub-clusters; `accuracy_from_mixture` repairs most of that. Source: deeptheory.

    The statistics must come from inputs that fitted neither the head nor the network (the measure split):
    those of the fitting set make the prediction too high by 2 to 9 points. With few inputs per label use
    `accuracy_from_mixture(fields, labels, None, rng)`, which corrects for the finite sample; here the
    covariances are taken as given.

    Parameters
    ----------
    mean : float64 array (K, K)
        Mean field, rows = label of the input, columns = output.
    covariance : float64 array (K, K, K)
        Covariance of the K fields for each label of the input. May be singular.
    rng : numpy.random.Generator
        For the integration (see `orthant_probability`).

    Returns
    -------
    FieldAccuracy
        Standard error about 0.03 points for 100 labels. Not a measured accuracy.

    Raises
    ------
    ValueError
        If the shapes disagree, K < 2, or the covariance of a label is not positive semi-definite.
    """
    n_labels = mean.shape[0]
    if n_labels < 2 or mean.shape != (n_labels, n_labels) or covariance.shape != (n_labels,) * 3:
        raise ValueError(
            "mean must be (K, K) and covariance (K, K, K) with K at least 2, "
            f"found {mean.shape} and {covariance.shape}"
        )
    labels = np.arange(n_labels)
    n_points = points_per_integral(n_labels)
    block = block_size(n_labels, n_points)
    parts = [
        probability_correct(labels[rows], mean[rows], covariance[rows], rng, n_points, rows.start)
        for rows in (slice(start, start + block) for start in range(0, n_labels, block))
    ]
    per_label = np.concatenate([probability for probability, _ in parts])
    errors = np.concatenate([error for _, error in parts])
    return FieldAccuracy(float(per_label.mean()), float(np.linalg.norm(errors) / n_labels), per_label)


def accuracy_from_activations(
    class_means: NDArray[np.float64],
    class_covariances: NDArray[np.float64],
    head: NDArray[np.float64],
    rng: np.random.Generator,
) -> FieldAccuracy:
    r"""Accuracy of any head from the activations' class statistics: fields :math:`N(W M_i, W \Sigma_i W^T)`.

    Status, source, the rule on the split and the error as for `accuracy_from_fields`. The head may be masked
    or refitted; it must have been fitted on another split than the statistics.

    Parameters
    ----------
    class_means : float64 array (K, D)
    class_covariances : float64 array (K, D, D)
        8 K D^2 bytes: for wide stages project the activations first and use `accuracy_from_mixture`.
    head : float array (K, D)
        Bias-free head W.
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        If the shapes disagree.
    """
    n_labels, width = class_means.shape
    if head.shape != (n_labels, width) or class_covariances.shape != (n_labels, width, width):
        raise ValueError(
            f"head must be {(n_labels, width)} and class_covariances {(n_labels, width, width)}, "
            f"found {head.shape} and {class_covariances.shape}"
        )
    weight = np.asarray(head, dtype=np.float64)
    covariance = np.stack([weight @ sigma @ weight.T for sigma in class_covariances])
    return accuracy_from_fields(class_means @ weight.T, covariance, rng)


def probability_correct(
    labels: NDArray[np.int64],
    mean: NDArray[np.float64],
    covariance: NDArray[np.float64],
    rng: np.random.Generator,
    n_points: int,
    first_index: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """P(field of `labels[b]` is the largest) and its error, for B Gaussians of covariance (B, K, K)."""
    n_labels = mean.shape[1]
    rivals = np.arange(n_labels - 1) + (
        np.arange(n_labels - 1) >= labels[:, None]
    )  # (B, K-1), label left out
    row = np.arange(len(labels))
    own, cross = covariance[row, labels, labels], covariance[row[:, None], labels[:, None], rivals]
    margin_mean = mean[row, labels][:, None] - np.take_along_axis(mean, rivals, axis=1)
    margin_covariance = (
        covariance[row[:, None, None], rivals[:, :, None], rivals[:, None, :]]
        - cross[:, :, None]
        - cross[:, None, :]
        + own[:, None, None]
    )
    # Rounding leaves variances of about -1e-16 where a margin is constant.
    diagonal = np.einsum("bii->bi", margin_covariance)
    scale = np.einsum("bii->b", covariance)[:, None]
    diagonal[(diagonal < 0) & (diagonal > -1e-12 * scale)] = 0.0
    return orthant_probability(margin_mean, margin_covariance, rng, n_points, first_index)


def points_per_integral(n_integrals: int) -> int:
    """Lattice points for each of `n_integrals` integrals whose results are averaged."""
    return int(np.clip(_POINT_BUDGET // n_integrals, _FEWEST_POINTS, _MOST_POINTS))
