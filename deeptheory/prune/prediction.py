"""Accuracy of a masked network after retraining, predicted without a gradient step."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deeptheory import measure, nn, theory
from deeptheory.prune.layers import HEAD_WEIGHT
from deeptheory.prune.masks import apply_masks
from deeptheory.prune.refit import refit_layers

HEAD_INPUTS = 20_000  # that the head is refitted to, at most
INTERVAL = 1.96  # standard errors on either side


@dataclass(frozen=True)
class Prediction:
    """What is expected of one masked network.

    Attributes
    ----------
    refitted : float
        Accuracy after the refit in closed form, counted on the measure split.
    refitted_theory : float
        The same by `theory.accuracy_from_mixture`.
    retrained : float
        `theory.retrained_accuracy`, the prediction.
    retrained_error : float
        95 % interval of it on either side, binomial: of the inputs counted, not of the model.
    loss : float
        Accuracy of the intact network minus `retrained`.
    loss_error : float
        95 % interval of the loss on either side, from the scatter of the paired answers of the two networks: of
        the inputs counted, not of the model.
    """

    refitted: float
    refitted_theory: float
    retrained: float
    retrained_error: float
    loss: float
    loss_error: float


class Predictor:
    """Predicts masked versions of one trained network.

    Parameters
    ----------
    network : Network
        The intact network; not changed.
    train : (images, labels)
        Inputs that the refits use.
    held_out : (images, labels)
        Inputs that fitted nothing, the measure split, on which the refitted networks are judged.
    l2 : float
        Of the head, as in retraining.
    rng : numpy.random.Generator
        Source of the order of the training inputs, and of what the fit and the integration draw.
    """

    def __init__(
        self,
        network: nn.Network,
        train: tuple[np.ndarray, np.ndarray],
        held_out: tuple[np.ndarray, np.ndarray],
        l2: float,
        rng: np.random.Generator,
    ) -> None:
        order = rng.permutation(len(train[0]))
        self.images, self.labels = (part[order] for part in train)
        self.network, self.l2 = network, l2
        self.held_out_images, self.held_out_labels = held_out
        self.rngs = rng.spawn(2)  # every network is refitted and integrated with the same draws
        self._copy, self._state = copy.deepcopy(network), network.state()
        self.intact, self._intact_right = self._accuracies(network, {})

    def predict(self, masks: Mapping[str, np.ndarray]) -> Prediction:
        """Predict what a masked network reaches after retraining.

        Parameters
        ----------
        masks : mapping of str to bool array
            By weight name, of the weight's shape, True where kept; the head's may be among them. Without any,
            the prediction is the accuracy of the intact network.
        """
        masked = self._copy
        masked.load_state(self._state)
        apply_masks(masked, masks)
        below = {name: mask for name, mask in masks.items() if name != HEAD_WEIGHT}
        refit_layers(masked, below, self.images, self.network, quiet=True)
        (refitted, by_theory), right = self._accuracies(masked, masks)
        retrained = float(theory.retrained_accuracy(self.intact[0], refitted))
        loss = self.intact[0] - retrained
        scatter = np.std(self._intact_right - right) * theory.SURVIVING_SHARE
        per_root = INTERVAL / math.sqrt(len(right))
        spread = math.sqrt(retrained * (1 - retrained))
        return Prediction(refitted, by_theory, retrained, per_root * spread, loss, per_root * float(scatter))

    def _accuracies(
        self, network: nn.Network, masks: Mapping[str, np.ndarray]
    ) -> tuple[tuple[float, float], np.ndarray]:
        """Counted and predicted accuracy with a refitted head, and which answers are right."""
        stage = network.stages[-1].name
        fitting, drawing = (copy.deepcopy(rng) for rng in self.rngs)
        head = measure.fit_probe_exact(
            measure.stage_features(network, self.images[:HEAD_INPUTS], stage, quiet=True),
            self.labels[:HEAD_INPUTS],
            network.n_labels,
            self.l2,
            fitting,
            mask=masks.get(HEAD_WEIGHT),
            quiet=True,
        )
        features = measure.stage_features(network, self.held_out_images, stage, quiet=True)
        fields, labels = features @ head.weight.T, self.held_out_labels
        components = theory.mixture_components(fields, labels, drawing)
        expected = theory.accuracy_from_mixture(fields, labels, components, drawing)
        right = (fields.argmax(axis=1) == labels).astype(np.float64)
        return (float(right.mean()), expected.accuracy), right
