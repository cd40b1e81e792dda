"""Masks that change during retraining: gradual, iterative, annealed."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from deeptheory import data, measure, nn, prune
from deeptheory.runs.random_streams import generator
from deeptheory.runs.run import Run
from deeptheory.runs.steps.arms import arm_context
from deeptheory.runs.steps.measurement import probe_inputs
from deeptheory.runs.steps.training import stored_splits
from deeptheory.store import paths


class Revision:
    """The masks of one arm, recomputed in every round from the present network.

    Parameters
    ----------
    run : Run
    arm : str
        A criterion.
    layers : tuple of MaskedLayer
    options : PruneOptions
        Schedule, number of rounds and final density.
    trained : dict of str to array
        State of the trained network: weights that an annealed mask restores take these values.
    """

    def __init__(
        self,
        run: Run,
        arm: str,
        layers: tuple[prune.MaskedLayer, ...],
        options: prune.PruneOptions,
        trained: dict[str, np.ndarray],
    ) -> None:
        self.run, self.arm, self.layers, self.options, self.trained = run, arm, layers, options, trained
        self.densities = prune.densities(options)
        self._streams = generator(run.config.seed, "revision", arm).spawn(len(self.densities))

    def masks(self, number: int, network: nn.Network, present: prune.Masks | None) -> prune.Masks:
        """Find and store the masks of a round, counted from 0; quenched ones lie within `present`.

        An annealed mask chooses among all connections, with removed ones at their trained values.
        """
        if present is not None and self.options.disorder == "annealed":
            parameters = network.parameters()
            for name, mask in present.items():
                parameters[name] = np.where(mask, parameters[name], self.trained[name])
            present = None
        strengths = self._strengths(network) if prune.CRITERIA[self.arm].thresholded else {}
        context = arm_context(self.run, network, self.layers, self._streams[number], strengths)
        context = dataclasses.replace(context, present=present)
        masks = prune.masks_for(self.arm, context, self.densities[number])
        kept = {name: masks.stored(name) for name in masks}
        self.run.store(self.where(number), {paths.DENSITY: self.densities[number], paths.MASKS: kept})
        return masks

    def where(self, number: int, *entry: str) -> str:
        """Where a round, or an entry of it, is stored in the run file."""
        return paths.round_path(self.arm, self.options.density, number, *entry)

    def stored(self, number: int) -> prune.Masks:
        """The masks of a round as they were stored."""
        return prune.Masks(self.layers, self.run.read_arrays(self.where(number, paths.MASKS)))

    def before_epoch(self, network: nn.Network) -> nn.BeforeEpoch:
        """The function that `nn.fit` calls before every epoch: one round each, until the rounds are used up."""

        def revise(epoch: int, masks: Mapping[str, np.ndarray]) -> prune.Masks | None:
            if epoch >= len(self.densities):
                return None
            return self.masks(epoch, network, prune.Masks(self.layers, masks) if masks else None)

        return revise

    def _strengths(self, network: nn.Network) -> dict[str, np.ndarray]:
        """Label strengths of the present network: probes fitted to it, fields of the split that is measured."""
        run = self.run
        stages = {stage for layer in self.layers for stage in (layer.stage_in, layer.stage_out)}
        names = [stage.name for stage in network.stages if stage.name in stages]
        images, labels = probe_inputs(run, run.config.probe.inputs, generator(run.config.seed, "probe"))
        rng = generator(run.config.seed, "probe")
        fits = measure.iterate_probes(
            network, images, labels, network.n_labels, names, run.config.probe, rng, quiet=True
        )
        probes = {stage: fit.weight for stage, fit in fits}
        inputs = data.select(run.dataset, stored_splits(run), run.config.measure.split)
        measured = measure.measure_stages(network, *inputs, probes, quiet=True)
        return {stage: of_stage.measures.strengths for stage, of_stage in measured.items()}
