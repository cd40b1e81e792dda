"""The measures of a model, and masks and predictions from them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import measure, nn, prune, theory
from deeptheory.errors import InputError
from deeptheory.interop.torch.connections import Pairs, layers_of, wiring_of
from deeptheory.interop.torch.inputs import Inputs, Pool
from deeptheory.interop.torch.layouts import ParameterMasks
from deeptheory.interop.torch.live_model import LiveModel, to_numpy
from deeptheory.interop.torch.masks import masks_of
from deeptheory.interop.torch.refitting import LivePredictor

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Measured:
    """Measures of the stages of a model, with masks and predictions from them.

    Attributes
    ----------
    model : torch.nn.Module
        The model itself, not a copy: masks by magnitude use its weights at the time of the call.
    stages : dict of dict
        By stage name, the entries of run files under ``measure/stages/NAME``: ``probe_weight`` (K, C*P),
        ``class_means`` (K, C, P), ``strengths`` (C, K), ``served``, ``clusters``, ``clusters_per_filter``,
        ``cluster_size``, ``noise``, ``snr_mean_field``, ``snr_measured``, ``field_snr``, ``probe_accuracy``, ...
    classifier : str
        Name of the linear layer that is the probe of the last stage, "" where that probe was fitted.
    inputs : Inputs
        Those on which the model was measured.
    probe_inputs : Inputs or None
        Those to which probes were fitted.
    pool : Pool
        Where both are.
    labels : int array (K,)
        Numbers of the labels that were measured: those of the inputs. All measures have them in this order.
    n_outputs : int
        Outputs of the model.
    seed : int
    """

    model: "torch.nn.Module"
    stages: dict[str, dict[str, Any]]
    classifier: str
    inputs: Inputs = field(repr=False)
    probe_inputs: Inputs | None = field(repr=False)
    pool: Pool = field(repr=False)
    labels: NDArray[np.int64]
    n_outputs: int
    seed: int

    def fields(self, stage: str, filters: slice = slice(None)) -> NDArray[np.float64]:
        """Field matrices (c, K, K) of some filters of a stage, by default of all: 8 C K^2 bytes."""
        means = self.stages[stage]["class_means"]
        weight = self.stages[stage]["probe_weight"].reshape(means.shape)
        return measure.fields_from_class_means(means[:, filters], weight[:, filters])

    @property
    def strengths(self) -> dict[str, NDArray[np.float64]]:
        """Label strengths (C, K) of every stage."""
        return {name: tree["strengths"] for name, tree in self.stages.items()}

    @property
    def pairs(self) -> dict[str, tuple[str, str]]:
        """The layers between the stages, as the forward pass of the model shows them.

        Name of the module to the stages that it reads and writes, "head" for the outputs of the model. `masks`
        takes these unless it is given others; `stages` says why other layers have none.
        """
        return wiring_of(self._live(), list(self.stages), self.inputs.images).pairs

    def masks(
        self,
        criteria: Sequence[str] = prune.PruneOptions().arms,
        density: float = 0.0,
        threshold: float = prune.PruneOptions().threshold,
        pairs: Pairs | None = None,
        granularity: prune.Granularity = "kernel",
        density_from: str = prune.PruneOptions().density_from,
    ) -> dict[str, prune.PrunedArm]:
        """Masks by AFCC and by its rivals at equal density, of the weights between stages.

        Parameters
        ----------
        criteria : sequence of str
            AFCC among them. Criteria that run the network (docs/criteria.md) need an imported one.
        density : float
            Share of the masked weights that is kept; 0 for that of the arm `density_from` at the threshold.
        threshold : float
            A filter serves the labels whose strength exceeds this.
        pairs : mapping of str to (str, str), optional
            Name of a module to the stages whose filters it reads and writes, "head" in place of the second for the
            layer that gives the outputs; by default those of the attribute.
        granularity : "weight", "kernel" or "filter"
        density_from : str
            AFCC, or another criterion with a threshold.

        Returns
        -------
        dict of PrunedArm
            By criterion. ``arm.masks`` maps names of parameters to bool arrays of their shape, in the layout of
            PyTorch, for `apply_masks` and `save_masks`; ``arm.summary`` counts what is kept.

        Raises
        ------
        InputError
            No pair is known, or one does not fit; a criterion must run the network; as `prune.prune_arms`.
        """
        able = sorted(name for name, criterion in prune.CRITERIA.items() if not criterion.running)
        if running := [name for name in criteria if name in prune.CRITERIA and name not in able]:
            do = "import the network: this one needs it to run or to train"
            raise InputError("criterion of a live model", f"one of {', '.join(able)}", f"'{running[0]}'", do)
        live, x = self._live(), self.inputs.images
        shapes = {name: tree["class_means"].shape[1:] for name, tree in self.stages.items()}
        if pairs is None:
            pairs = wiring_of(live, list(self.stages), x).pairs
        found = layers_of(live, pairs, shapes, self.labels, self.n_outputs, x)
        layers, layouts = tuple(one.masked for one in found), [one.layout for one in found]
        weights = {
            layer.weight: layout.filters(to_numpy(live.modules[layer.name].weight))
            for layer, layout in zip(layers, layouts, strict=True)
        }
        streams = self._rng("controls").spawn(len(criteria))

        def clusters(stage: str) -> NDArray[np.int32]:
            means = self.stages[stage]["class_means"]
            weight = self.stages[stage]["probe_weight"].reshape(means.shape)
            return measure.stage_clusters(means, weight, threshold)

        context = prune.Context(
            layers,
            weights,
            self.strengths,
            threshold,
            streams[0],
            granularity,
            shares=self._shares,
            clusters=clusters,
        )
        arms = prune.prune_arms(context, dict(zip(criteria, streams, strict=True)), density, density_from)
        named = {layer.weight: layout for layer, layout in zip(layers, layouts, strict=True)}
        return {name: replace(arm, masks=ParameterMasks.of(arm.masks, named)) for name, arm in arms.items()}

    def predict(
        self, arms: Mapping[str, prune.PrunedArm], l2: float = nn.Recipe().l2, quiet: bool = False
    ) -> dict[str, Any]:
        """Predict, before any retraining, how accurate the model is under masks.

        Parameters
        ----------
        arms : mapping of str to PrunedArm
            Those of `masks`, AFCC among them.
        l2 : float
            Weight decay of the retraining.

        Returns
        -------
        dict
            The entries of run files under ``predict``. ``stages``: the accuracy of every probe by the theory;
            ``layers``: AFCC's dilution, that expected without structure, and the prunable kernels of every masked
            layer; ``arms``: for every arm and "unpruned" a `prune.Refit`, the loss after retraining by
            `theory.RecoveryLaw` with its 95 % interval, ``loss``, ``loss_low`` and ``loss_high``, and under
            ``head`` the accuracy of the head refitted under its mask on intact stages.

        Raises
        ------
        InputError
            There are no inputs to fit to (``probe_loader``); the model is masked already; a weight is computed
            from other parameters.

        Notes
        -----
        The law is not calibrated, as the model is retrained elsewhere: the interval spans an order of magnitude.
        `theory.RecoveryLaw` takes the losses of masks that you retrained as calibrations.

        The prediction of an arm is for the model up to its last stage, refitted in closed form, with a bias-free
        head. A classifier with a bias or hidden layers is replaced by such a head, so compare losses, not
        accuracies. Convolutions without groups and linear layers that the forward pass calls once are refitted,
        from the first masked one on; other layers are not changed. A convolution whose outputs a batch norm takes
        only behind a sum or a concatenation gets a bias for its offset, which is then exact up to that place. A
        layer with neither bias nor batch norm is fitted without an offset. A layer of more than 6144 weights per
        filter is refitted to at most 2^27 / D patches (`prune.refitted_wide`), which bounds the memory. The
        largest dilution at a tolerance and the SNR budget are not predicted: they need the sensitivities of an
        imported network. Needs memory for a copy of the model and of the probes' inputs.
        """
        if self.probe_inputs is None:
            do = "pass probe_loader to measure"
            raise InputError("predictions", "inputs to refit the masked model on", "none", do)
        if masks_of(self.model):
            raise InputError("predictions", "the intact model", "a masked one", "predict before apply_masks")
        live, stage = self._live(), list(self.stages)[-1]
        streams = self._rng("predictions").spawn(3)
        fitting, held_out = ((part.images, part.labels) for part in (self.probe_inputs, self.inputs))
        afcc = arms[prune.AFCC]
        outputs = [layer.weight for layer in afcc.masks.layers if layer.stage_out == prune.HEAD]
        head = outputs[0] if outputs else prune.HEAD_WEIGHT
        predictor = LivePredictor(live, stage, head, len(self.labels), fitting, held_out, l2, streams[0])
        splits = [
            (measure.stage_features(live, images, stage, quiet=quiet), labels)
            for images, labels in (fitting, held_out)
        ]
        probe = self.stages[stage]["probe_weight"]
        heads = prune.HeadPredictor(splits[0], splits[1], probe, l2, streams[1])
        law = theory.RecoveryLaw(predictor.intact.refitted)
        masks_of_arms: dict[str, Mapping[str, NDArray[np.bool_]]] = {
            prune.UNPRUNED: {},
            **{name: _of_labels(arm.masks, head, self.labels, self.n_outputs) for name, arm in arms.items()},
        }
        return {
            "stages": self._predict_stages(live, streams[2], quiet),
            "layers": prune.layer_predictions(afcc, self.strengths),
            "arms": {
                name: self._predict_arm(predictor, law, masks)
                | {"head": asdict(heads.predict(masks.get(head)))}
                for name, masks in masks_of_arms.items()
            },
        }

    def _predict_arm(
        self, predictor: LivePredictor, law: theory.RecoveryLaw, masks: Mapping[str, NDArray[np.bool_]]
    ) -> dict[str, float]:
        return predictor.predict(masks).entries(law, removes=bool(masks))

    def _predict_stages(self, live: LiveModel, rng: np.random.Generator, quiet: bool) -> dict[str, Any]:
        images, labels = self.inputs.images, self.inputs.labels
        probes = {name: tree["probe_weight"] for name, tree in self.stages.items()}
        tree = {}
        for stage, fields in measure.complete_fields(live, images, probes, quiet=quiet).items():
            components = theory.mixture_components(fields, labels, rng)
            tree[stage] = asdict(prune.head_prediction(fields, labels, components, rng))
        return tree

    def _live(self) -> LiveModel:
        return LiveModel(self.model, self.pool)

    def _shares(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        return {name: (tree["signal_share"], tree["variance_share"]) for name, tree in self.stages.items()}

    def _rng(self, use: str) -> np.random.Generator:
        """An independent random stream for every use, the same in every call."""
        return np.random.default_rng([self.seed, *use.encode()])


def _of_labels(
    masks: Mapping[str, NDArray[np.bool_]], head: str, labels: NDArray[np.int64], n_outputs: int
) -> dict[str, NDArray[np.bool_]]:
    """Masks, with only the rows of the measured labels in that of the head."""
    found = dict(masks)
    if head in found and len(labels) < n_outputs:
        found[head] = found[head][labels]
    return found
