"""Accuracy after retraining, from the loss that a refit in closed form leaves."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

SURVIVING_SHARE = 0.3
"""Share of the refitted network's loss of accuracy that a few epochs of retraining leave."""


def retrained_accuracy(intact: ArrayLike, refitted: ArrayLike) -> NDArray[np.float64]:
    r"""Accuracy after retraining, from those of the intact and of the refitted network.

    .. math:: P = P_0 - \rho\, (P_0 - P_{\mathrm{refit}}), \qquad \rho = 0.3

    A refit restores the outputs of layers; retraining may find other outputs that serve the labels as well.
    Status: model (ours); rho was fitted once, for a few epochs of retraining (docs/results.md: on which networks,
    and how far it holds elsewhere). Source: deeptheory.

    Parameters
    ----------
    intact : array_like
        Accuracy of the network without a mask, its head refitted in the same way, within [0, 1].
    refitted : array_like
        Accuracy of the masked network after `prune.refit_layers` and a refit of its head, on the same inputs.

    Returns
    -------
    float64 array
        NOT a bound in either direction. Changes of the intact network under the same retraining are not included.

    Raises
    ------
    ValueError
        If an accuracy is outside [0, 1].
    """
    before, after = np.asarray(intact, np.float64), np.asarray(refitted, np.float64)
    for name, values in (("intact", before), ("refitted", after)):
        if not np.all((values >= 0) & (values <= 1)):
            raise ValueError(f"{name} must be within [0, 1], found {values}")
    return before - SURVIVING_SHARE * (before - after)
