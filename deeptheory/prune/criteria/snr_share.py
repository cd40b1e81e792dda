"""SNR share: keep the filters that carry the signal-to-noise ratio of the fields at their stage."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.prune.criterion_context import Context, Scores, required


def scores(context: Context) -> Scores:
    r"""Share of every filter in the squared field SNR of its stage, to first order.

    .. math:: s_f = 2\, \frac{m_f}{m} - \frac{v_f}{v}

    with the filter's shares of the mean margin m over the strongest rival and of its variance v, each averaged
    over labels (`measure.FilterStatistics`): the decrease of :math:`\ln (m^2 / v)` without the filter's part of
    both.

    Parameters
    ----------
    context : Context
        With `shares`.

    Returns
    -------
    dict of str to (out,) float64 array
        The shares of a stage sum to 1, so they rank within one layer; negative for a filter that adds more noise
        than signal.

    Raises
    ------
    InputError
        The context has no shares, or not those of a stage.

    Notes
    -----
    Source: deeptheory; both shares are exact by linearity, the score is a model: the variance share is
    Cov(D_f, D), so the variance without the filter differs where filters are correlated, and the probe is not
    refitted. It is about what the probe of the stage reads, NOT about what the stages above use.
    """
    expected, do = "the shares of the filters", "measure the run first"
    shares, scores_of_layers = required(context.shares, "snr-share", expected, do)(), {}
    for layer in context.units:
        if layer.stage_out not in shares:
            known = ", ".join(shares) or "none"
            raise InputError(
                f"shares of '{layer.stage_out}'", "those of every masked stage", known, "measure it"
            )
        signal, variance = shares[layer.stage_out]
        if signal.shape != layer.shape[:1] or variance.shape != layer.shape[:1]:
            shapes = f"shapes {signal.shape} and {variance.shape}"
            raise InputError(f"shares of '{layer.stage_out}'", f"two of shape {layer.shape[:1]}", shapes)
        scores_of_layers[layer.weight] = from_shares(signal, variance)
    return scores_of_layers


def from_shares(signal: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """SNR share of every filter (C,) from its shares of the signal and of the variance."""
    share: NDArray[np.float64] = 2 * signal - variance
    return share
