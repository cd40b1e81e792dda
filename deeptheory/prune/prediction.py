"""Accuracy of a masked network after retraining, predicted without a gradient step."""

import abc
import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import measure, nn, theory
from deeptheory.nn.layers.base import Array
from deeptheory.prune.arms import PrunedArm
from deeptheory.prune.masked_layers import HEAD, HEAD_WEIGHT
from deeptheory.prune.masks import apply_masks
from deeptheory.prune.refitting import refit_layers

Inputs = tuple[Array, NDArray[np.int64]]  # images, labels
HEAD_INPUTS = 20_000  # to which the head is refitted, at most
INTERVAL = 1.96  # standard errors on either side


@dataclass(frozen=True)
class Prediction:
    """The predicted accuracy of one masked network.

    Attributes
    ----------
    refitted : float
        Accuracy after the refit in closed form, counted on the measure split.
    refitted_theory : float
        The same by `theory.accuracy_from_mixture`.
    retrained : float
        `theory.retrained_accuracy`, the prediction.
    retrained_error : float
        Half width of its 95 % interval, binomial: of the count on these inputs, not of the model.
    loss : float
        Accuracy of the intact network minus `retrained`.
    loss_error : float
        Half width of its 95 % interval, from the scatter of the paired answers of the two networks: of the count
        on these inputs, not of the model.
    """

    refitted: float
    refitted_theory: float
    retrained: float
    retrained_error: float
    loss: float
    loss_error: float


class RefitPredictor(abc.ABC):
    """Predicts the accuracy of masked versions of one trained network, whatever computes it.

    Parameters
    ----------
    network : Measurable
        The intact network; not changed.
    stage : str
        Its last stage, which the head reads.
    head : str
        Name of the head's weight among the masks.
    n_labels : int
    train : (images, labels)
        Inputs to which weights are refitted.
    held_out : (images, labels)
        Inputs used in no fit, the measure split, on which the refitted networks are evaluated.
    l2 : float
        Weight decay of the head, as in retraining.
    rng : numpy.random.Generator
        Source of the order of the training inputs and of the random numbers of fit and integration.
    """

    def __init__(
        self,
        network: measure.Measurable,
        stage: str,
        head: str,
        n_labels: int,
        train: Inputs,
        held_out: Inputs,
        l2: float,
        rng: np.random.Generator,
    ) -> None:
        order = rng.permutation(len(train[0]))
        self.images, self.labels = train[0][order], train[1][order]
        self.stage, self.head, self.n_labels, self.l2 = stage, head, n_labels, l2
        self.held_out_images, self.held_out_labels = held_out
        self.rngs = rng.spawn(2)  # every network is refitted and integrated with the same random numbers
        self.intact, self._intact_right = self._accuracies(network, None)

    @abc.abstractmethod
    def refitted(self, masks: Mapping[str, NDArray[np.bool_]]) -> measure.Measurable:
        """The masked network with its weights below the head refitted in closed form."""

    def predict(self, masks: Mapping[str, NDArray[np.bool_]]) -> Prediction:
        """Predict what a masked network reaches after retraining.

        Parameters
        ----------
        masks : mapping of str to bool array
            By weight name, of the weight's shape, True where kept; the head's may be among them. Without any,
            the prediction is the accuracy of the intact network.
        """
        below = {name: mask for name, mask in masks.items() if name != self.head}
        (refitted, by_theory), right = self._accuracies(self.refitted(below), masks.get(self.head))
        retrained = float(theory.retrained_accuracy(self.intact[0], refitted))
        loss = self.intact[0] - retrained
        scatter = np.std(self._intact_right - right) * theory.SURVIVING_SHARE
        per_root = INTERVAL / math.sqrt(len(right))
        spread = math.sqrt(retrained * (1 - retrained))
        return Prediction(refitted, by_theory, retrained, per_root * spread, loss, per_root * float(scatter))

    def _accuracies(
        self, network: measure.Measurable, mask: NDArray[np.bool_] | None
    ) -> tuple[tuple[float, float], NDArray[np.float64]]:
        """Counted and predicted accuracy with a refitted head, and which answers are correct (1 or 0)."""
        fitting, drawing = (copy.deepcopy(rng) for rng in self.rngs)
        head = measure.fit_probe(
            measure.stage_features(network, self.images[:HEAD_INPUTS], self.stage, quiet=True),
            self.labels[:HEAD_INPUTS],
            self.n_labels,
            measure.ProbeOptions(l2=self.l2),
            fitting,
            mask=mask,
            quiet=True,
        )
        features = measure.stage_features(network, self.held_out_images, self.stage, quiet=True)
        fields, labels = features @ head.weight.T, self.held_out_labels
        components = theory.mixture_components(fields, labels, drawing)
        expected = theory.accuracy_from_mixture(fields, labels, components, drawing)
        right = (fields.argmax(axis=1) == labels).astype(np.float64)
        return (float(right.mean()), expected.accuracy), right


class Predictor(RefitPredictor):
    """`RefitPredictor` of an `nn.Network`; parameters as there."""

    def __init__(
        self,
        network: nn.Network,
        train: Inputs,
        held_out: Inputs,
        l2: float,
        rng: np.random.Generator,
    ) -> None:
        self.network, self._copy, self._state = network, copy.deepcopy(network), network.state()
        stage, n_labels = network.stages[-1].name, network.n_labels
        super().__init__(network, stage, HEAD_WEIGHT, n_labels, train, held_out, l2, rng)

    def refitted(self, masks: Mapping[str, NDArray[np.bool_]]) -> nn.Network:
        """The masked network after `refit_layers`; overwritten by the next call."""
        self._copy.load_state(self._state)
        apply_masks(self._copy, masks)
        refit_layers(self._copy, masks, self.images, self.network, quiet=True)
        return self._copy


def layer_predictions(
    afcc: PrunedArm, strengths: Mapping[str, NDArray[np.float64]]
) -> dict[str, dict[str, Any]]:
    """What AFCC predicts for every masked layer before any retraining.

    Parameters
    ----------
    afcc : PrunedArm
    strengths : mapping of str to (C, K) float array
        Stage name to `label_strengths`.

    Returns
    -------
    dict of dict
        By weight name: ``prunable`` kernels and ``dilution``; ``scores`` where the layer has scored units; between
        two stages ``expected_dilution``, that of filters that serve as many labels, drawn at random
        (`theory.expected_dilution`).
    """
    tree: dict[str, dict[str, Any]] = {}
    for layer, summary in zip(afcc.masks.layers, afcc.summary.layers, strict=True):
        tree[layer.weight] = entry = {
            "prunable": ~afcc.masks.kernels(layer.weight),
            "dilution": summary.dilution,
        }
        if layer.weight in afcc.scores:
            entry["scores"] = afcc.scores[layer.weight]
        if layer.stage_out != HEAD:
            ends = [strengths[layer.stage_in], strengths[layer.stage_out]]
            served = (np.count_nonzero(end > afcc.summary.threshold, axis=1) for end in ends)
            entry["expected_dilution"] = theory.expected_dilution(ends[0].shape[1], *served)
    return tree
