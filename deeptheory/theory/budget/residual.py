"""Refit of a filter whose inputs are partly removed, and the residual variance that it leaves."""

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

from deeptheory.theory.budget.moment import RIDGE, by_support, checked


def refitted_weights(
    second_moment: NDArray[np.floating],
    weights: NDArray[np.floating],
    mask: NDArray[np.bool_],
    ridge: float = RIDGE,
    cross_moment: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    r"""Weights on the kept inputs that best reproduce the output of every filter.

    .. math:: u_S = w_S + G_{SS}^{-1} G_{SR} w_R, \qquad u_R = 0

    with S the kept and R the removed weights of a filter: the least squares of :math:`(w - u) \cdot \varphi`.
    Where the patches have changed as well, because layers below were pruned, x = <z phi> is the cross moment of
    the original output z with the new patches, and

    .. math:: u_S = w_S + G_{SS}^{-1} (x_S - G_{SS} w_S)

    which is the same for x = G w.
    Status: exact for the inputs behind G (and up to the ridge). Source: least squares; Hassibi and Stork,
    "Second order derivatives for network pruning: optimal brain surgeon" (1993).

    Parameters
    ----------
    second_moment : float array (D, D)
        G = <phi phi^T> of the patches phi that the layer reads, over inputs and positions; may be singular. If a
        bias or a batch norm follows, give the covariance instead: the mean of the residual is then refitted too.
    weights : float array (B, D)
        A convolution's weights (B, n_inputs, kh, kw) reshaped to (B, -1), patches in the same order.
    mask : bool array (B, n_inputs)
        True where an input is kept, with its D / n_inputs weights: n_inputs = channels for whole kernels, D for
        single weights. Every filter keeps one input at least.
    ridge : float
        lambda >= 0: G is replaced by G + lambda tr(G)/D 1, which penalises the change of the kept weights.
    cross_moment : float array (B, D), optional
        x of every filter; without it G w.

    Returns
    -------
    float64 array (B, D)
        Zero outside the mask. It preserves this layer's own output, not the accuracy; retraining can do better, as
        it may change the function of the layer. One Cholesky factor per distinct row of the mask, at most B.

    Raises
    ------
    ValueError
        If the shapes disagree, a filter keeps nothing, ridge < 0, or G is not finite, symmetric and positive
        semi-definite, or singular at ridge 0.
    """
    moment, values = checked(second_moment, weights, mask, ridge)
    if cross_moment is None:
        return _refitted(moment, values, mask)
    cross = np.asarray(cross_moment, np.float64)
    if cross.shape != values.shape or not np.all(np.isfinite(cross)):
        raise ValueError(f"cross_moment must be finite {values.shape}, found {cross.shape}")
    kept = np.where(np.repeat(mask, values.shape[1] // mask.shape[1], axis=1), values, 0.0)
    return _with_changes(moment, kept, cross - kept @ np.asarray(second_moment, np.float64), mask)


def residual_variance(
    second_moment: NDArray[np.floating],
    weights: NDArray[np.floating],
    mask: NDArray[np.bool_],
    ridge: float = RIDGE,
) -> NDArray[np.float64]:
    r"""Mean square of the part of every filter's output that no refit of the kept weights can restore.

    .. math:: e_b = w_R^T (G_{RR} - G_{RS} G_{SS}^{-1} G_{SR}) w_R

    computed as :math:`(w-u)^T G (w-u)` with the `refitted_weights` u, where their rounding enters only squared.
    Status, parameters and errors: those of `refitted_weights`.

    Returns
    -------
    float64 array (B,)
        In units of z_b squared. The ridge makes it too high, by at most lambda tr(G)/D times the squared length
        of the change w - u of the best refit. Estimating G from N patches makes it too low by the share D/N; N is
        the number of independent patches, which is smaller for overlapping neighbours.
    """
    moment, values = checked(second_moment, weights, mask, ridge)
    change = values - _refitted(moment, values, mask)
    residual: NDArray[np.float64] = np.sum(change @ moment * change, axis=1)
    return residual


def relative_noise(residual: ArrayLike, variance: ArrayLike) -> NDArray[np.float64]:
    """Injected noise in units of the signal, eta_b = e_b / Var z_b.

    Status: exact, a definition. Source: deeptheory.

    Parameters
    ----------
    residual : array_like (B,)
        `residual_variance` of every filter.
    variance : array_like (B,)
        Var z_b of the filter's output before the removal, in the same units: w^T G w if G is a covariance.

    Returns
    -------
    float64 array (B,)
        0 where nothing is lost, inf where an output of variance 0 loses something. It does NOT say whether the
        noise matters: that depends on how the fields respond to z_b (`margin_noise`).

    Raises
    ------
    ValueError
        If the shapes disagree or a number is negative or not finite.
    """
    noise, signal = np.asarray(residual, np.float64), np.asarray(variance, np.float64)
    if noise.shape != signal.shape:
        raise ValueError(f"variance must be of the shape of residual, {noise.shape}, found {signal.shape}")
    for name, values in (("residual", noise), ("variance", signal)):
        if not np.all((values >= 0) & (values < np.inf)):
            raise ValueError(f"{name} must be within [0, inf), found {values}")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(noise == 0, 0.0, noise / signal)


def _refitted(
    moment: NDArray[np.float64], weights: NDArray[np.float64], mask: NDArray[np.bool_]
) -> NDArray[np.float64]:
    kept = np.repeat(mask, weights.shape[1] // mask.shape[1], axis=1)
    lost = np.where(kept, 0.0, weights) @ moment
    return _with_changes(moment, np.where(kept, weights, 0.0), lost, mask)


def _with_changes(
    moment: NDArray[np.float64],
    kept_weights: NDArray[np.float64],
    lost: NDArray[np.float64],
    mask: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """The kept weights with the change that restores the lost moments (B, D) on the kept inputs."""
    refitted = kept_weights.copy()
    for filters, support in by_support(mask, kept_weights.shape[1] // mask.shape[1]):
        rows = np.ix_(filters, support)
        if not lost[rows].any():
            continue
        factor = scipy.linalg.cho_factor(moment[np.ix_(support, support)])
        refitted[rows] += scipy.linalg.cho_solve(factor, lost[rows].T).T
    return refitted
