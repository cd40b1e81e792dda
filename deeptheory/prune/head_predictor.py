"""Accuracy of heads on intact stages, from the means and covariances of classes."""

from dataclasses import dataclass

import numpy as np

from deeptheory import measure, theory

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class HeadPrediction:
    """The accuracy of one head by the theory, and beside it the count on the same inputs.

    Attributes
    ----------
    accuracy : float
        `theory.accuracy_from_mixture`.
    integration_error : float
        One standard error of it, of the integration alone.
    counted : float
    """

    accuracy: float
    integration_error: float
    counted: float


def head_prediction(
    fields: np.ndarray, labels: np.ndarray, components: np.ndarray, rng: np.random.Generator
) -> HeadPrediction:
    """The accuracy of a head from its fields (N, K) on inputs that did not fit it (physics 7.1)."""
    predicted = theory.accuracy_from_mixture(fields, labels, components, rng)
    counted = float(np.mean(fields.argmax(axis=1) == labels))
    return HeadPrediction(predicted.accuracy, predicted.standard_error, counted)


class HeadPredictor:
    """Predicts the head of one network refitted under masks, its stages left intact (physics 7.2).

    Parameters
    ----------
    fitting : (features, labels)
        Outputs (N, D) of the last stage, of the inputs that heads are fitted to. They enter by means and
        covariances of class components alone (`theory.gaussian_surrogates`).
    held_out : (features, labels)
        Of inputs that fitted nothing, on which heads are judged.
    probe : float array (K, D)
        The head of the intact network, whose fields decide the components.
    l2 : float
        Of the head, as in retraining.
    rng : numpy.random.Generator
    """

    def __init__(
        self, fitting: Split, held_out: Split, probe: np.ndarray, l2: float, rng: np.random.Generator
    ) -> None:
        components, self.components = (
            theory.mixture_components(features @ probe.T, labels, rng)
            for features, labels in (fitting, held_out)
        )
        self.surrogates = theory.gaussian_surrogates(*fitting, components, rng)
        self.held_out, self.n_labels, self.l2, self.rng = held_out, len(probe), l2, rng

    def predict(self, mask: np.ndarray | None) -> HeadPrediction:
        """The head of mask (K, D), True where kept; of all weights without one."""
        options = measure.ProbeOptions(l2=self.l2)
        head = measure.fit_probe(*self.surrogates, self.n_labels, options, self.rng, mask, quiet=True)
        features, labels = self.held_out
        return head_prediction(features @ head.weight.T, labels, self.components, self.rng)
