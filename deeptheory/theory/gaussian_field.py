"""Accuracy of a head from first and second moments alone: Gaussian field theory."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deeptheory.theory.orthant import block_size, orthant_probability

# Integrand evaluations over all integrals: errors average out over labels, so many labels need few points each.
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


class ActivationMoments(Protocol):
    """Statistics of the activations of a stage as `accuracy_from_activations` needs them."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Label of every group of inputs (G,)."""

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of every group among the inputs of its label (G,)."""

    def field_moments(self, weight: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Means (G, K) and covariances (G, K, K) of the fields of a head (K, D)."""


def accuracy_from_fields(
    mean: NDArray[np.float64],
    covariance: NDArray[np.float64],
    rng: np.random.Generator,
    labels: NDArray[np.integer] | None = None,
    shares: NDArray[np.float64] | None = None,
) -> FieldAccuracy:
    r"""Accuracy when the fields of every label, or of every component of a label, are Gaussian.

    .. math:: \frac1K \sum_i \sum_{g \in i} \pi_g P(\arg\max_j H_j = i), \qquad H \sim N(m_g, S_g)

    Status: model (ours): exact for Gaussian fields. With one Gaussian per label it over-predicts trained
    networks by 3 to 5 points because labels have sub-clusters; components (`mixture_components`) remove most
    of that error. Source: deeptheory.

    The statistics must come from inputs to which neither the head nor the network was fitted (the measure split):
    those of the fitting set make the prediction too high by 2 to 9 points. Covariances are used as given; those
    estimated from few inputs should be divided by their number n, not n - 1 (see `accuracy_from_mixture`).

    Parameters
    ----------
    mean : float64 array (G, K)
        Mean field of every group, columns = output.
    covariance : float64 array (G, K, K)
        Covariance of the K fields in every group. May be singular.
    rng : numpy.random.Generator
        For the integration (see `orthant_probability`).
    labels : int array (G,), optional
        Label of every group; by default G = K and group i is label i.
    shares : float64 array (G,), optional
        pi_g: share of every group among the inputs of its label; by default all of them.

    Returns
    -------
    FieldAccuracy
        Standard error about 0.03 points for 100 labels. Not a measured accuracy.

    Raises
    ------
    ValueError
        If the shapes disagree, K < 2, the shares of a label do not sum to 1, or a covariance is not positive
        semi-definite.
    """
    group_label = np.arange(len(mean)) if labels is None else labels.astype(np.int64)
    shares = np.ones(len(mean)) if shares is None else shares
    n_groups, n_labels = _check_moments(mean, covariance, group_label, shares)
    n_points = points_per_integral(n_groups)
    block = block_size(n_labels, n_points)
    parts = [
        probability_correct(group_label[rows], mean[rows], covariance[rows], rng, n_points, rows.start)
        for rows in (slice(start, start + block) for start in range(0, n_groups, block))
    ]
    probability, errors = (np.concatenate(blocks) for blocks in zip(*parts, strict=True))
    return mean_accuracy(probability, errors, group_label, shares, n_labels)


def accuracy_from_activations(
    statistics: ActivationMoments, head: NDArray[np.floating], rng: np.random.Generator
) -> FieldAccuracy:
    r"""Accuracy of any head from the activations' statistics: fields :math:`N(W M_g, W \Sigma_g W^T)`.

    Status, source, split of the statistics and errors: as in `accuracy_from_fields`. No input is needed again, so
    one set of statistics serves any number of heads.

    Parameters
    ----------
    statistics : ActivationMoments
        Of labels or components, in full, pooled or low-rank form: `measure.second_order_statistics`,
        `measure.low_rank_statistics`.
    head : float array (K, D)
        Bias-free head W, full, masked or refitted, fitted to another split than that of the statistics.
    rng : numpy.random.Generator

    Returns
    -------
    FieldAccuracy
        With full covariances the same as from `accuracy_from_mixture` on the fields of the same inputs.
    """
    mean, covariance = statistics.field_moments(head)
    return accuracy_from_fields(mean, covariance, rng, statistics.labels, statistics.shares)


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
    others = np.arange(n_labels - 1)
    rivals = others + (others >= labels[:, None])  # (B, K-1), the label left out
    row = np.arange(len(labels))
    variance, cross = covariance[row, labels, labels], covariance[row[:, None], labels[:, None], rivals]
    margin_mean = mean[row, labels][:, None] - np.take_along_axis(mean, rivals, axis=1)
    margin_covariance = (
        covariance[row[:, None, None], rivals[:, :, None], rivals[:, None, :]]
        - cross[:, :, None]
        - cross[:, None, :]
        + variance[:, None, None]
    )
    # Rounding leaves variances of about -1e-16 where a margin is constant.
    diagonal = np.einsum("bii->bi", margin_covariance)
    scale = np.einsum("bii->b", covariance)[:, None]
    diagonal[(diagonal < 0) & (diagonal > -1e-12 * scale)] = 0.0
    return orthant_probability(margin_mean, margin_covariance, rng, n_points, first_index)


def mean_accuracy(
    probability: NDArray[np.float64],
    errors: NDArray[np.float64],
    labels: NDArray[np.int64],
    shares: NDArray[np.float64],
    n_labels: int,
) -> FieldAccuracy:
    """Mean over labels of the probabilities (G,) of their groups, weighted by shares."""
    per_label = np.zeros(n_labels)
    np.add.at(per_label, labels, shares * probability)
    error = float(np.linalg.norm(shares * errors) / n_labels)
    return FieldAccuracy(float(per_label.mean()), error, per_label)


def points_per_integral(n_integrals: int) -> int:
    """Lattice points for each of `n_integrals` integrals whose results are averaged."""
    return int(np.clip(_POINT_BUDGET // n_integrals, _FEWEST_POINTS, _MOST_POINTS))


def _check_moments(
    mean: NDArray[np.float64],
    covariance: NDArray[np.float64],
    labels: NDArray[np.int64],
    shares: NDArray[np.float64],
) -> tuple[int, int]:
    n_groups, n_labels = mean.shape if mean.ndim == 2 else (0, 0)
    if n_labels < 2 or covariance.shape != (n_groups, n_labels, n_labels):
        raise ValueError(
            "mean must be (G, K) and covariance (G, K, K) with K at least 2, "
            f"found {mean.shape} and {covariance.shape}"
        )
    if labels.shape != (n_groups,) or shares.shape != (n_groups,):
        raise ValueError(f"labels and shares must be {(n_groups,)}, found {labels.shape} and {shares.shape}")
    if not np.array_equal(np.unique(labels), np.arange(n_labels)):
        raise ValueError(f"labels must be all of 0..{n_labels - 1}, found {np.unique(labels)}")
    sums = np.bincount(labels, shares)
    if shares.min() < 0 or np.abs(sums - 1).max() > 1e-6:
        worst = int(np.abs(sums - 1).argmax())
        raise ValueError(
            "shares must be positive with sum 1 for every label, "
            f"found sum {sums[worst]:.6g} of label {worst}"
        )
    return n_groups, n_labels
