"""How much of the loss that a refit in closed form leaves survives retraining: a law with two constants."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

LEARNT = 1 - math.exp(-1)
"""Share of the final training accuracy, above chance, at which a network counts as having learnt."""
EXPONENT, EXPONENT_SPREAD = 0.88, 0.28
SCALE, TIME_EXPONENT, FACTOR_SPREAD = -1.94, 0.72, 0.98
MODEL_SPREAD = 0.24
"""Prior of the law: k is normal; ln a is normal about SCALE - TIME_EXPONENT ln(time); single masks scatter about
the law by MODEL_SPREAD in the logarithm. Fitted once (docs/results.md), on networks and masks of no table."""
UNKNOWN_TIME = 0.15  # where the training of a network is not known: the middle of those of the fit
RETRAINING_SPREAD = 0.002  # of the accuracies of two retrainings that differ in rounding alone
LARGEST, SMALLEST = 1 - 1e-4, 1e-4  # shares of the accuracy lost within which logarithms are taken
GRID = np.linspace(-3, 3, 41)  # in standard deviations of the prior
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(11)
ERROR_NODES = ndtri((np.arange(20) + 0.5) / 20)  # of the refit loss that was counted, of equal weight


def head_capacity(mask: ArrayLike) -> float:
    r"""The share of the labels that a masked head can tell apart by inputs that are on or off.

    .. math:: C = \frac{1}{K} \sum_{l=1}^{K} \min\left(1, \frac{2^{n_l} - 1}{m_l}\right)

    Label l reads n_l inputs, and m_l labels, itself among them, read the very same ones. However the stages below
    are retrained, inputs that are on or off give those labels 2^{n_l} - 1 patterns in which one is on, a label of
    its own for each; the other labels are wrong. A label without inputs is always wrong. Status: model (ours).
    Source: deeptheory.

    Parameters
    ----------
    mask : bool array (K, D)
        Which of the head's D inputs each of the K labels reads, True where kept. Inputs that are the same for all
        images, as those of a filter that has lost all its own inputs, count as removed: set them to False before.

    Returns
    -------
    float
        C, within [0, 1]. NOT a bound: inputs have grades, and labels of one input can share it by them (two do at
        the cost of about half of them); and labels whose inputs are subsets of others' may take their patterns.

    Raises
    ------
    ValueError
        If the mask has not two axes, or no label.
    """
    kept = np.asarray(mask, bool)
    if kept.ndim != 2 or not len(kept):
        raise ValueError(f"mask must have the shape (labels, inputs), found {kept.shape}")
    _, group, sizes = np.unique(np.packbits(kept, axis=1), axis=0, return_inverse=True, return_counts=True)
    patterns = np.exp2(np.minimum(np.count_nonzero(kept, axis=1), 60)) - 1
    return float(np.minimum(1.0, patterns / sizes[group.ravel()]).mean())


def surviving_loss(
    refit_loss: ArrayLike, accuracy: ArrayLike, factor: float, exponent: float, capacity: ArrayLike = 1.0
) -> NDArray[np.float64]:
    r"""Loss of accuracy after retraining, from that of the network refitted in closed form.

    .. math:: -\ln\frac{P - L}{C P} = a \left[-\ln\frac{P - R}{C P}\right]^k

    A refit restores the outputs that layers had; retraining finds other outputs that serve the labels as well. L
    is what it does not recover. In these units a loss of everything is infinite and small losses are shares of P.
    What the head has no capacity for, P (1 - C), is lost whatever is retrained; the law holds for the rest, and a
    refit that keeps more than C P loses no more than that. Status: model (ours); a and k belong to one network and
    one recipe of retraining, `RecoveryLaw` finds them. Source: deeptheory.

    Parameters
    ----------
    refit_loss : array_like
        R, accuracy lost after `prune.refit_layers` and a refit of the head, within [0, accuracy].
    accuracy : array_like
        P, accuracy of the intact network, within (0, 1].
    factor : float
        a > 0.
    exponent : float
        k.
    capacity : array_like
        C, share of the labels that the head can tell apart, within [0, 1] (`head_capacity`).

    Returns
    -------
    float64 array
        L, against the UNPRUNED NETWORK RETRAINED EQUALLY. NOT against the network as it was trained.

    Raises
    ------
    ValueError
        If a loss or an accuracy is outside its range, or the factor is not positive.
    """
    lost, whole = np.asarray(refit_loss, np.float64), np.asarray(accuracy, np.float64)
    if not np.all((whole > 0) & (whole <= 1)):
        raise ValueError(f"accuracy must be within (0, 1], found {whole}")
    if not np.all((lost >= 0) & (lost <= whole)):
        raise ValueError(f"refit_loss must be within [0, accuracy], found {lost}")
    if not factor > 0:
        raise ValueError(f"factor must be within (0, inf), found {factor}")
    told = np.asarray(capacity, np.float64)
    if not np.all((told >= 0) & (told <= 1)):
        raise ValueError(f"capacity must be within [0, 1], found {told}")
    with np.errstate(divide="ignore"):  # -inf where nothing is lost, inf where everything is
        strength = np.log(-np.log1p(-np.clip(_lost_of_capacity(lost / whole, told), 0.0, 1.0)))
    return whole * _share(np.log(factor) + exponent * strength, told)


def factor_after(factor: float, ratio: float) -> float:
    r"""The constant a of the recovery law after a retraining of another length, by the same recipe.

    .. math:: a(r T) = a(T)\, r^{-0.72}

    The exponent is that of the prior of `RecoveryLaw`, fitted once on networks of no table. Status: model (ours).
    Source: deeptheory.

    Parameters
    ----------
    factor : float
        a(T), positive.
    ratio : float
        r, length over that of the retraining to which the factor belongs, positive; NOT 0: without retraining the
        loss is that of the refit at best.

    Raises
    ------
    ValueError
        If the ratio is not positive.
    """
    if not ratio > 0:
        raise ValueError(f"ratio must be within (0, inf), found {ratio}")
    return float(factor * ratio**-TIME_EXPONENT)


def learning_time(accuracy: Sequence[float], rates: Sequence[float], chance: float) -> float:
    """The time that a network took to learn, in units of the learning rate times steps.

    That until its training accuracy had covered 63 % of the way from chance to its final value, between the
    middles of epochs. Status: definition (ours).

    Parameters
    ----------
    accuracy : sequence of E float
        Training accuracy of every epoch.
    rates : sequence of float
        Learning rate of every step, the same number in each of the E epochs.
    chance : float

    Raises
    ------
    ValueError
        If the numbers of epochs and steps do not fit together, or there is none.
    """
    epochs = len(accuracy)
    if not epochs or not len(rates) or len(rates) % epochs:
        raise ValueError(f"rates must be as many for each of the epochs, found {len(rates)} for {epochs}")
    reached = np.maximum.accumulate(np.concatenate([[chance], accuracy]))
    middles = np.concatenate([[0.0], np.arange(epochs) + 0.5])
    learnt = chance + LEARNT * (reached[-1] - chance)
    first = int(np.argmax(reached >= learnt))
    if first:
        rise = (learnt - reached[first - 1]) / max(reached[first] - reached[first - 1], np.finfo(float).tiny)
        epoch = middles[first - 1] + rise * (middles[first] - middles[first - 1])
    else:
        epoch = middles[1]  # never above chance
    time = np.concatenate([[0.0], np.cumsum(rates)])
    return float(np.interp(epoch * len(rates) / epochs, np.arange(len(time)), time))


@dataclass(frozen=True)
class Calibration:
    """A mask whose loss after retraining was measured.

    Attributes
    ----------
    refit_loss, loss : float
        R and L of `surviving_loss`, shares; on the same held-out inputs.
    error : float
        Standard error of `loss` by the number of inputs.
    capacity : float
        C, of the mask's head.
    """

    refit_loss: float
    loss: float
    error: float
    capacity: float = 1.0


@dataclass(frozen=True)
class LossInterval:
    """A predicted loss of accuracy, a share: its median and the ends of its 95 % interval."""

    loss: float
    low: float
    high: float


class RecoveryLaw:
    r"""The law of `surviving_loss` for one network and recipe: what is known of a and k, and what follows.

    .. math:: \ln\left(-\ln\frac{P - L}{C P}\right) = \ln a + k \ln\left(-\ln\frac{P - R}{C P}\right) + \sigma z

    with z standard normal for every mask. Before any calibration, k is normal and ln a is normal about a line in
    the logarithm of the time of retraining in units of the network's `learning_time`: networks that learn fast
    recover fast. Calibrations are taken in by Bayes' rule on a grid. Status: model (ours); the constants of the
    prior were fitted once. Source: deeptheory.

    Parameters
    ----------
    accuracy : float
        P, of the intact network, within (0, 1].
    time : float, optional
        Sum of the learning rates of retraining over the `learning_time` of the network; None where its training is
        not known.
    calibrations : sequence of Calibration

    Attributes
    ----------
    factor, exponent : float
        Means of ln a, as a, and of k.
    n_calibrations : int
    """

    def __init__(
        self, accuracy: float, time: float | None = None, calibrations: Sequence[Calibration] = ()
    ) -> None:
        if not 0 < accuracy <= 1:
            raise ValueError(f"accuracy must be within (0, 1], found {accuracy}")
        if time is not None and not time > 0:
            raise ValueError(f"time must be within (0, inf), found {time}")
        self.accuracy, self.n_calibrations = accuracy, len(calibrations)
        middle = SCALE - TIME_EXPONENT * math.log(UNKNOWN_TIME if time is None else time)
        self._log_factor, self._exponent = np.meshgrid(
            middle + FACTOR_SPREAD * GRID, EXPONENT + EXPONENT_SPREAD * GRID, indexing="ij"
        )
        prior = np.exp(-(GRID**2) / 2)
        weights = np.log(prior[:, None] * prior)
        for known in calibrations:
            error = math.hypot(known.error, RETRAINING_SPREAD)
            deviations = (self._losses(known.refit_loss, known.capacity) - known.loss) / error
            likelihood = np.exp(-(deviations**2) / 2) @ WEIGHTS
            weights = weights + np.log(likelihood + np.finfo(float).tiny)
        self._weights = np.exp(weights - weights.max())
        self._weights /= self._weights.sum()
        self.factor = math.exp(float(np.sum(self._weights * self._log_factor)))
        self.exponent = float(np.sum(self._weights * self._exponent))

    def predict(self, refit_loss: float, capacity: float = 1.0, error: float = 0.0) -> LossInterval:
        """The loss after retraining of a mask whose refit loses `refit_loss`, its head of the given capacity.

        `error` is the standard error of `refit_loss` by the number of inputs that it was counted on. The interval
        contains it, the scatter of masks about the law and what is not known of its constants; not the error of
        counting the test inputs on which a loss is measured.

        Raises
        ------
        ValueError
            If the error is negative or not finite.
        """
        if not 0 <= error < math.inf:
            raise ValueError(f"error must be within [0, inf), found {error}")
        nodes = ERROR_NODES if error else np.zeros(1)
        losses = np.stack([self._losses(refit_loss + error * node, capacity) for node in nodes]).ravel()
        weights = (self._weights[..., None] * (WEIGHTS / WEIGHTS.sum())).ravel()
        weights = np.tile(weights / len(nodes), len(nodes))
        order = np.argsort(losses)
        reached = np.cumsum(weights[order])
        median, low, high = (
            float(losses[order][min(int(np.searchsorted(reached, q)), len(order) - 1)])
            for q in (0.5, 0.025, 0.975)
        )
        return LossInterval(median, low, high)

    def _losses(self, refit_loss: float, capacity: float) -> NDArray[np.float64]:
        """L for every pair of constants and every node of the scatter."""
        told = np.asarray(capacity)
        share = np.clip(_lost_of_capacity(np.asarray(refit_loss / self.accuracy), told), SMALLEST, LARGEST)
        line = self._log_factor + self._exponent * math.log(-math.log1p(-share))
        return self.accuracy * _share(line[..., None] + MODEL_SPREAD * NODES, told)


def _lost_of_capacity(lost: NDArray[np.float64], capacity: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a refit loses of the share C that the head has a capacity for, below 0 where it keeps more."""
    share: NDArray[np.float64] = (lost - (1 - capacity)) / np.where(capacity > 0, capacity, np.inf)
    return share


def _share(strength: NDArray[np.float64], capacity: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 - C exp(-exp(y))."""
    share: NDArray[np.float64] = 1 - capacity - capacity * np.expm1(-np.exp(np.minimum(strength, 50.0)))
    return share
