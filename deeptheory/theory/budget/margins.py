"""The margins of the fields with the noise that removals inject, and the accuracy that they leave."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from deeptheory.theory.gaussian_field import FieldAccuracy, accuracy_from_fields


def margin_noise(
    residual: NDArray[np.floating], squared_sensitivity: NDArray[np.floating]
) -> NDArray[np.float64]:
    r"""Variance that the residuals of one layer add to every margin.

    .. math:: n_{ij} = \sum_b g_{b,ij}^2 e_b

    Noises of several layers add. Status: model (ours): the residuals of different filters and of the
    positions of one filter are taken as independent of each other and of the margin, with mean 0 for every label,
    and the margins as linear in them. Source: deeptheory.

    Parameters
    ----------
    residual : float array (B,)
        e_b, `residual_variance` of every filter of the layer.
    squared_sensitivity : float array (B, K, K)
        g_{b,ij}^2, mean over inputs of label i of the sum over positions p of (d(H_i - H_j)/dz_{b,p})^2; rows =
        label of the input, columns = rival. The diagonal is not used.

    Returns
    -------
    float64 array (K, K)
        In units of the fields squared. NOT the change of a margin in a trained network: residuals of different
        filters and positions are correlated there, and the mean square was 5 to 12 times as large, half of it a
        lower mean margin.

    Raises
    ------
    ValueError
        If the shapes disagree or a number is negative or not finite.
    """
    squares = checked_sensitivity(squared_sensitivity)
    variances = np.asarray(residual, np.float64)
    if variances.shape != squares.shape[:1] or not np.all((variances >= 0) & (variances < np.inf)):
        raise ValueError(f"residual must be within [0, inf) and ({len(squares)},), found {residual}")
    return weighted_sum(variances, squares)


def noisy_snr(
    margin_mean: NDArray[np.floating], margin_variance: NDArray[np.floating], noise: NDArray[np.floating]
) -> NDArray[np.float64]:
    r"""Field SNR of every margin with injected noise, :math:`\mathrm{SNR}'_{ij} = m_{ij}/\sqrt{v_{ij} + n_{ij}}`.

    Status: exact for noise independent of the margin, a model of a removal. Source: deeptheory.

    Parameters
    ----------
    margin_mean, margin_variance : float arrays (K, K)
        m_ij and v_ij of the margin H_i - H_j for inputs of label i (`measure.field_snr`), from inputs to which
        neither head nor network was fitted. The diagonal is not used.
    noise : float array (K, K)
        n_ij, `margin_noise` summed over layers; 0 gives the SNR before any removal.

    Returns
    -------
    float64 array (K, K)
        NaN on the diagonal. The mean margin is taken as unchanged: noise whose mean depends on the label shifts
        it too.

    Raises
    ------
    ValueError
        If the shapes disagree, a number is not finite, or off the diagonal a variance is not positive or a noise
        negative.
    """
    mean, variance, added = (np.asarray(part, np.float64) for part in (margin_mean, margin_variance, noise))
    n_labels = len(mean)
    if n_labels < 2 or not mean.shape == variance.shape == added.shape == (n_labels, n_labels):
        raise ValueError(
            "margin_mean, margin_variance and noise must be (K, K) with K at least 2, "
            f"found {mean.shape}, {variance.shape} and {added.shape}"
        )
    pairs = ~np.eye(n_labels, dtype=bool)
    if not np.all(np.isfinite(mean[pairs])):
        raise ValueError("margin_mean must be finite")
    if not np.all((variance[pairs] > 0) & (variance[pairs] < np.inf)):
        raise ValueError(f"margin_variance must be within (0, inf), found {variance[pairs].min():g}")
    if not np.all((added[pairs] >= 0) & (added[pairs] < np.inf)):
        raise ValueError(f"noise must be within [0, inf), found {added[pairs].min():g}")
    snr = np.full_like(mean, np.nan)
    snr[pairs] = mean[pairs] / np.sqrt(variance[pairs] + added[pairs])
    return snr


def pairwise_accuracy(snr: NDArray[np.floating]) -> NDArray[np.float64]:
    r"""Probability that inputs of each label beat all rivals, as if their margins were independent.

    .. math:: P_i = \prod_{j \ne i} \Phi(\mathrm{SNR}_{ij})

    Costs K^2 operations where `accuracy_from_fields` integrates. Status: model; for Gaussian margins without
    negative correlations exact as a lower bound (Slepian 1962), and equal when they are independent. Margins
    share the field of the true label, which correlates them positively. Source: deeptheory.

    Parameters
    ----------
    snr : float array (K, K)
        Rows = label of the input, columns = rival. The diagonal is not used.

    Returns
    -------
    float64 array (K,)
        Per label. Good for comparing removals; too low as a forecast of the accuracy.

    Raises
    ------
    ValueError
        If the shape is not (K, K) with K at least 2, or a number off the diagonal is NaN.
    """
    n_labels = len(snr)
    pairs = ~np.eye(n_labels, dtype=bool)
    if n_labels < 2 or snr.shape != (n_labels, n_labels) or np.any(np.isnan(snr[pairs])):
        raise ValueError(
            f"snr must be (K, K) with K at least 2 and numbers off the diagonal, found {snr.shape}"
        )
    accuracy: NDArray[np.float64] = np.exp(np.sum(log_ndtr(np.where(pairs, snr, np.inf)), axis=1))
    return accuracy


def noisy_accuracy(
    mean: NDArray[np.float64],
    covariance: NDArray[np.float64],
    injected: NDArray[np.float64],
    rng: np.random.Generator,
) -> FieldAccuracy:
    r"""Accuracy of Gaussian fields with injected noise, :math:`H \sim N(m_i, S_i + \sum_b e_b G_{b,i})`.

    Status: model (ours), with the assumptions of `margin_noise` and of `accuracy_from_fields`; unlike
    `pairwise_accuracy` it includes the correlations of the margins.

    Parameters
    ----------
    mean, covariance, rng
        As in `accuracy_from_fields`, before any removal.
    injected : float64 array (K, K, K)
        sum_b e_b G_{b,i} over the filters of all layers, for each label i of the input (K, K): G_{b,i} is the
        mean over inputs of label i of the sum over positions p of (dH/dz_{b,p})(dH/dz_{b,p})^T. Its elements
        [i,i] + [j,j] - 2 [i,j] are the `margin_noise` of rival j.

    Returns
    -------
    FieldAccuracy
        After the best refit of every layer to its own previous output; not a measured accuracy.

    Raises
    ------
    ValueError
        If the shapes disagree, or a covariance or the injected one is not positive semi-definite.
    """
    if injected.shape != covariance.shape:
        raise ValueError(
            f"injected must be of the shape of covariance, {covariance.shape}, found {injected.shape}"
        )
    eigenvalues = np.linalg.eigvalsh(injected)
    if eigenvalues.min() < -1e-9 * max(float(np.abs(eigenvalues).max()), np.finfo(float).tiny):
        raise ValueError(
            f"injected must be positive semi-definite, found an eigenvalue {eigenvalues.min():g}"
        )
    return accuracy_from_fields(mean, covariance + injected, rng)


def checked_sensitivity(squared_sensitivity: NDArray[np.floating]) -> NDArray[np.float64]:
    """g^2 in float64, after checking that it is (B, K, K), finite and not negative."""
    squares = np.ascontiguousarray(squared_sensitivity, dtype=np.float64)
    if squares.ndim != 3 or squares.shape[1] != squares.shape[2] or not squares.size:
        raise ValueError(f"squared_sensitivity must be (B, K, K), found {squares.shape}")
    if not np.all((squares >= 0) & (squares < np.inf)):
        raise ValueError(f"squared_sensitivity must be within [0, inf), found {squares.min():g}")
    return squares


def weighted_sum(weights: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of matrices (B, K, K) with weights (B,): (K, K)."""
    total: NDArray[np.float64] = (weights @ squares.reshape(len(squares), -1)).reshape(squares.shape[1:])
    return total
