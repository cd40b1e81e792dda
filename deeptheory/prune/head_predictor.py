"""Accuracy of heads on intact stages, from the means and covariances of classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory import measure, theory

Split = tuple[NDArray[np.floating], NDArray[np.int64]]  # features, labels


@dataclass(frozen=True)
class HeadPrediction:
    """The accuracy of one head by the theory, and the one counted on the same inputs.

    Attributes
    ----------
    accuracy : float
        `theory.accuracy_from_mixture`.
    integration_error : float
        Standard error of the numerical integration alone.
    counted : float
        Share of the inputs that the head classifies correctly.
    """

    accuracy: float
    integration_error: float
    counted: float


def head_prediction(
    fields: NDArray[np.floating],
    labels: NDArray[np.int64],
    components: NDArray[np.int64],
    rng: np.random.Generator,
) -> HeadPrediction:
    """The accuracy of a head from its fields (N, K) on inputs that it was not fitted to."""
    predicted = theory.accuracy_from_mixture(fields, labels, components, rng)
    counted = float(np.mean(fields.argmax(axis=1) == labels))
    return HeadPrediction(predicted.accuracy, predicted.standard_error, counted)


class HeadPredictor:
    """Predicts the accuracy of heads that are refitted under masks, on the intact stages of one network.

    Parameters
    ----------
    fitting : (features, labels)
        Outputs (N, D) of the last stage for the inputs that heads are fitted to. Only the means and covariances of
        class components are used (`theory.gaussian_surrogates`).
    held_out : (features, labels)
        For inputs used in no fit, on which heads are evaluated.
    probe : float array (K, D)
        The head of the intact network, whose fields determine the components.
    l2 : float
        Weight decay of the head, as in retraining.
    rng : numpy.random.Generator
    """

    def __init__(
        self,
        fitting: Split,
        held_out: Split,
        probe: NDArray[np.floating],
        l2: float,
        rng: np.random.Generator,
    ) -> None:
        components, self.components = (
            theory.mixture_components(features @ probe.T, labels, rng)
            for features, labels in (fitting, held_out)
        )
        self.surrogates = theory.gaussian_surrogates(*fitting, components, rng)
        self.held_out, self.n_labels, self.l2, self.rng = held_out, len(probe), l2, rng

    def predict(self, mask: NDArray[np.bool_] | None) -> HeadPrediction:
        """The accuracy of the head under a mask (K, D), True where kept; without a mask, of the full head."""
        options = measure.ProbeOptions(l2=self.l2)
        head = measure.fit_probe(*self.surrogates, self.n_labels, options, self.rng, mask, quiet=True)
        features, labels = self.held_out
        return head_prediction(features @ head.weight.T, labels, self.components, self.rng)
