"""Accuracy of a masked network that is refitted without a gradient step."""

import abc
import copy
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import measure, nn, theory
from deeptheory.measure.streaming import Images, visit
from deeptheory.prune.arms import PrunedArm
from deeptheory.prune.masked_layers import HEAD, HEAD_WEIGHT
from deeptheory.prune.masks import apply_masks
from deeptheory.prune.refitting import images_for, mixing_layers, refit_layers
from deeptheory.store.paths import LOSS, LOSS_HIGH, LOSS_LOW

Inputs = tuple[Images, NDArray[np.int64]]  # images, labels
HEAD_INPUTS = 20_000  # to which the head is refitted, at most
LARGEST_OUTPUT = 8192  # of a stage for one input, up to which it is computed once for all masks above it


@dataclass(frozen=True)
class Refit:
    """The accuracy of one masked network after the refit in closed form.

    Attributes
    ----------
    refitted : float
        Counted on the measure split.
    refitted_theory : float
        The same by `theory.accuracy_from_mixture`.
    refit_loss : float
        Accuracy of the intact network, its head refitted in the same way, minus `refitted`: what
        `theory.RecoveryLaw` takes. NOT the loss after retraining, which is many times smaller where networks find
        other outputs.
    refit_error : float
        Standard error of `refit_loss` by the number N of inputs counted, (b + c + 1 - (b - c)^2/N)^(1/2) / N with
        b and c the inputs that only one of the two networks labels correctly: one more than there are, since none
        among few inputs does not mean that none is lost.
    capacity : float
        Share of the labels that the head can tell apart, by the inputs that its mask keeps and that differ between
        inputs of the refitted network (`theory.head_capacity`).
    """

    refitted: float
    refitted_theory: float
    refit_loss: float
    refit_error: float
    capacity: float

    def entries(self, law: theory.RecoveryLaw, removes: bool) -> dict[str, float]:
        """The refit, the loss after retraining by a law of the network and its recipe, and its interval, by name.

        Where the masks remove nothing (`removes`), nothing is lost.
        """
        none = theory.LossInterval(0.0, 0.0, 0.0)
        found = law.predict(self.refit_loss, self.capacity, self.refit_error) if removes else none
        return {**asdict(self), LOSS: found.loss, LOSS_LOW: found.low, LOSS_HIGH: found.high}


@dataclass(frozen=True)
class Refitted:
    """A refitted network, or its part above the masks, and what it reads.

    Attributes
    ----------
    network : Measurable
    fitting, held_out : array (N, ...)
        Inputs in the order in which they are fitted to, and those of the measure split: images, or the outputs of
        the stage below the part.
    """

    network: measure.Measurable
    fitting: Images
    held_out: Images


class RefitPredictor(abc.ABC):
    """Refits masked versions of one trained network, whatever computes it, and counts how accurate they are.

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
        self._right: NDArray[np.bool_] | None = (
            None  # held-out inputs that the intact network labels correctly
        )
        self.intact = self._evaluated(Refitted(network, self.images, self.held_out_images), None)

    @abc.abstractmethod
    def refitted(self, masks: Mapping[str, NDArray[np.bool_]]) -> "Refitted":
        """The masked network with its weights below the head refitted in closed form."""

    def predict(self, masks: Mapping[str, NDArray[np.bool_]]) -> Refit:
        """Refit the network under masks.

        Parameters
        ----------
        masks : mapping of str to bool array
            By weight name, of the weight's shape, True where kept; the head's may be among them.
        """
        below = {name: mask for name, mask in masks.items() if name != self.head}
        if not masks:
            return self.intact
        return self._evaluated(self.refitted(below), masks.get(self.head))

    def _evaluated(self, refitted: "Refitted", mask: NDArray[np.bool_] | None) -> Refit:
        """Counted and predicted accuracy with a refitted head, against that of the intact network."""
        network = refitted.network
        fitting, drawing = (copy.deepcopy(rng) for rng in self.rngs)
        head = measure.fit_probe(
            measure.stage_features(network, refitted.fitting[:HEAD_INPUTS], self.stage, quiet=True),
            self.labels[:HEAD_INPUTS],
            self.n_labels,
            measure.ProbeOptions(l2=self.l2),
            fitting,
            mask=mask,
            quiet=True,
        )
        features = measure.stage_features(network, refitted.held_out, self.stage, quiet=True)
        fields, labels = features @ head.weight.T, self.held_out_labels
        components = theory.mixture_components(fields, labels, drawing)
        expected = theory.accuracy_from_mixture(fields, labels, components, drawing)
        right = fields.argmax(axis=1) == labels
        if self._right is None:
            self._right = right
        loss, error = _counted_loss(self._right, right)
        varies = np.ptp(features, axis=0) > 0
        capacity = theory.head_capacity(
            np.ones_like(head.weight, bool) & varies if mask is None else mask & varies
        )
        return Refit(float(right.mean()), expected.accuracy, loss, error, capacity)


def _counted_loss(intact: NDArray[np.bool_], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Share of inputs lost, and its standard error (`Refit`)."""
    n = len(right)
    lost, won = int(np.count_nonzero(intact & ~right)), int(np.count_nonzero(right & ~intact))
    return (lost - won) / n, math.sqrt(lost + won + 1 - (lost - won) ** 2 / n) / n


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
        self.network = network
        self._parts: dict[str, Refitted] = {}  # by the stage below
        stage, n_labels = network.stages[-1].name, network.n_labels
        super().__init__(network, stage, HEAD_WEIGHT, n_labels, train, held_out, l2, rng)

    def refitted(self, masks: Mapping[str, NDArray[np.bool_]]) -> Refitted:
        """The part above the masks after `refit_layers`, or the intact network without one."""
        if not masks:
            return self._part("")
        layers = [name.removesuffix(".weight") for name in masks]
        part = self._part(nn.stage_below(self.network, layers) if outputs_below(self.network, layers) else "")
        assert isinstance(part.network, nn.Network)
        masked = copy.deepcopy(part.network)
        apply_masks(masked, masks)
        refit_layers(masked, masks, part.fitting, part.network, quiet=True)
        return Refitted(masked, part.fitting, part.held_out)

    def _part(self, below: str) -> Refitted:
        """The intact network above a stage, whose outputs are computed once; all of it for ""."""
        if not below:
            return Refitted(self.network, self.images, self.held_out_images)
        if below not in self._parts:
            part = nn.upper_part(self.network, below)
            needed = [images_for(part, name) for name in mixing_layers(part)]
            fitting = self.images[: max(HEAD_INPUTS, *needed)]
            self._parts = {  # of one part at a time: outputs may be large
                below: Refitted(
                    part, *(self._outputs(below, images) for images in (fitting, self.held_out_images))
                )
            }
        return self._parts[below]

    def _outputs(self, stage: str, images: Images) -> NDArray[np.float32]:
        outputs = np.empty((len(images), *self.network.output_shape(stage)), np.float32)

        def keep(batch: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
            outputs[rows] = batch.reshape(-1, *outputs.shape[1:])

        visit(self.network, images, np.arange(len(images)), {stage: keep}, quiet=True)
        return outputs


def outputs_below(network: nn.Network, layers: Collection[str]) -> int:
    """Outputs of the stage below masked layers that are kept, per input; 0 where there is none or too many."""
    below = nn.stage_below(network, layers) if layers else ""
    size = math.prod(network.output_shape(below)) if below else 0
    return size if size <= LARGEST_OUTPUT else 0


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
