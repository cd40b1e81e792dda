"""The law for the memory of a step: the program, copies of data and weights, a batch, and its largest arrays."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from deeptheory import nn, prune
from deeptheory.data import Dataset
from deeptheory.measure.features import TOGETHER
from deeptheory.measure.fields import BLOCK_BYTES
from deeptheory.measure.patches import patch_bytes
from deeptheory.measure.probes.curvature import ROWS, coupled_rank, curvature_rows, subspace_rank
from deeptheory.measure.probes.lbfgs import MEMORY
from deeptheory.nn.pass_sizes import MOST
from deeptheory.prune.wiring import is_linear, mixes
from deeptheory.runs.configuration import Config
from deeptheory.runs.datasets import State, load_whole, outlined, state
from deeptheory.runs.network_sources import NetworkSource
from deeptheory.runs.steps.layer_choice import layers_to_mask, stages_to_measure
from deeptheory.runs.steps.training import prepare
from deeptheory.store import paths
from deeptheory.system import compile_notice, kernel_cache, memory, standard_streams

COMPARE = paths.COMPARE  # what `deeptheory compare` does once a run is trained and measured
LOADED, COMPILING = 70_000_000, 160_000_000  # bytes: compiled kernels with their libraries; the compiler
TRIED = 32, 64  # inputs of the batches tried, of 100 in a pass: working memory has mostly reached its bound
MIXTURES = 60_000_000  # bytes that `theory.accuracy_from_mixture` works in, whatever it integrates
VECTORS = 2 * MEMORY + 12  # arrays of the size of a probe that the exact solver holds at a time
# Copies held together: of the data (all of it, and splits), and of the weights (velocity, states to store and to
# go back to, other networks, and the masks and scores of all arms).
COPIES = {
    "train": (2, 4),
    "measure": (2, 2),
    "predict": (3, 7),
    "prune": (3, 6),
    "retrain": (2, 7),
    COMPARE: (4, 8),
}


@dataclass(frozen=True)
class Sizes:
    """What of a run decides how much memory and time it takes; bytes, but for counts of inputs and outputs."""

    config: Config
    source: NetworkSource
    inputs: dict[str, int]  # by split
    program: int
    data: int  # images and labels of all splits
    whole: int  # those of the whole file, where only some of its labels are used
    state: int  # parameters and buffers
    stages: tuple[tuple[int, int], ...]  # outputs C*P and filters C of all stages that are measured
    probed: tuple[int, ...]  # outputs of the stages whose probe has to be fitted
    patches: tuple[tuple[int, int], ...]  # weights and outputs per filter, from the first masked layer on
    masked: int  # layers that are masked
    per_pass: int  # inputs of a pass without training
    below: int  # outputs of the stage from which masked networks are refitted
    batch: dict[str, int]  # by step: outputs, gradients and working memory of its networks

    def terms(self, step: str, free: float = 0.0) -> dict[str, int]:
        """The terms of what a step holds at its peak, in bytes: a law, checked against peaks in docs/notes.md.

        Features of several stages are held at a time where half of the `free` memory suffices; by default those of
        one, the least with which a step gets through. What single criteria need alone is NOT in it.
        """
        data, weights = COPIES[step]
        terms = {
            "program": self.program,
            "data": data * self.data + self.whole,
            "weights": (weights + self._copies_of_recipe(step)) * self.state,
        }
        return {**terms, "batch": self.batch[step], "arrays": self._arrays(step, free)}

    def _copies_of_recipe(self, step: str) -> int:
        """Copies of the weights beside those of plain SGD: mean squares, the best state of an early stop."""
        if step not in ("train", "predict", "retrain", COMPARE):
            return 0
        recipe = self.config.train if step == "train" else self.config.retrain
        return (recipe.optimiser != "sgd") + (step == "train" and self.config.train.patience > 0)

    def peak(self, step: str, free: float = 0.0) -> int:
        """The sum of the terms."""
        return sum(self.terms(step, free).values())

    def file(self, steps: Sequence[str]) -> int:
        """Bytes of `run.h5` after these steps: states, class means and probes; smaller things are left out."""
        options = self.config.prune
        states = len(options.arms) * (1 + options.rounds * (options.schedule == "iterative")) + 1
        measured = 12 * self.source.n_labels * sum(outputs for outputs, _ in self.stages)
        of_step = {"train": self.state, "measure": measured, "retrain": states * self.state}
        return sum(of_step.get(step, 0) for step in steps)

    def _arrays(self, step: str, free: float) -> int:
        inputs, labels, probe = self.inputs, self.source.n_labels, self.config.probe
        train, outputs = inputs["train"], [size for size, _ in self.stages]
        if step == "measure":
            n = min(train, probe.inputs or train)
            features = [4 * n * size for size in self.probed]
            together = max(max(features, default=0), min(sum(features), int(TOGETHER * free)))
            # Probes, class means; responses of all filters, or fields of all stages; fields of all label pairs.
            filters, seen = [filters for _, filters in self.stages], inputs[self.config.measure.split]
            fields = labels * len(self.stages) * (seen + inputs["test"])
            passing = 12 * labels * sum(outputs) + 8 * max(seen * sum(filters), fields)
            passing += min(8 * max(filters) * labels**2, BLOCK_BYTES)
            return max(together + _solver(n, max(self.probed, default=0), labels), passing)
        if (
            step == "predict"
        ):  # a head is fitted, a layer on moments of its patches, or an accuracy integrated
            refit = max(40 * size**2 + _patches(self.per_pass, size, n) for size, n in self.patches)
            held = 4 * outputs[-1] * 2 * (train + inputs["measure"])
            held += 4 * self.below * (min(train, prune.HEAD_INPUTS) + inputs["measure"])
            return held + max(refit, MIXTURES, _solver(train, outputs[-1], labels))
        if step == "prune":
            return 4 * outputs[-1] * (train + inputs["test"]) + _solver(train, outputs[-1], labels)
        return 0


def sizes_of(config: Config, quiet: bool = False, blueprint: str = "") -> Sizes:
    """The sizes of a run, with the blueprint of its network if that is imported; tried once for all seeds.

    Raises
    ------
    InputError
        What training would refuse: data, splits, network, stages, arms.
    """
    return _sizes(msgspec.structs.replace(config, seed=0), quiet, blueprint, state(config.data))


def steps_until(last: str) -> tuple[str, ...]:
    """The steps of a run as far as one of them."""
    return paths.STEPS[: paths.STEPS.index(last) + 1]


@functools.cache
def _sizes(config: Config, quiet: bool, blueprint: str, of_data: State) -> Sizes:
    del of_data  # with which alone the sizes change
    program, dataset = _program(), outlined(config, quiet)
    splits, network = prepare(config, dataset, blueprint)
    source = NetworkSource(config.network, dataset.n_labels, dataset.input_shape, blueprint)
    shapes = [network.output_shape(stage) for stage in stages_to_measure(config.measure, network)]
    stages = tuple((math.prod(shape), shape[-1]) for shape in shapes)
    masked = layers_to_mask(config.prune, network)
    mixing = [f"{node.name}.weight" for node in network.nodes if mixes(node.layer)]
    weights = {name: array for name, array in network.parameters().items() if name in mixing}
    linear = {f"{node.name}.weight" for node in network.nodes if is_linear(node.layer)}
    refitted = list(weights)[min(list(weights).index(layer.weight) for layer in masked) :]
    with compile_notice.shown_by(lambda text: None if quiet else standard_streams.say(f"memory: {text}\n")):
        tested = min(network.inputs_per_pass, max(len(splits.measure), len(splits.test)))
        training, retraining = (
            _scratch(source, min(batch, len(splits.train)), tested)
            for batch in (config.train.batch, config.retrain.batch)
        )
        inferring = _scratch(source, 0, network.inputs_per_pass)
    return Sizes(
        config,
        source,
        inputs={name: len(getattr(splits, name)) for name in ("train", "measure", "test")},
        program=program,
        data=_bytes(dataset),
        whole=_bytes(load_whole(config.data, quiet)) if config.data.labels_used else 0,
        state=sum(array.nbytes for array in network.state().values()),
        stages=stages,
        probed=tuple(outputs for outputs, _ in stages)[: -1 if network.classifier_is_probe else None],
        patches=tuple(
            (weights[name][0].size, math.prod(network.output_shape(name.removesuffix(".weight"))[:-1]))
            for name in refitted
            if name in linear  # attention is not refitted
        ),
        masked=len(masked),
        per_pass=network.inputs_per_pass,
        below=prune.outputs_below(network, [layer.name for layer in masked if layer.stage_out != prune.HEAD]),
        batch={
            "train": training,
            "measure": inferring,
            "prune": 2 * inferring,  # an intact and a masked network
            "predict": 2 * inferring + retraining,
            **dict.fromkeys(("retrain", COMPARE), retraining),
        },
    )


def _patches(per_pass: int, size: int, positions: int) -> int:
    of_one = patch_bytes(size, positions)
    return min(per_pass, nn.inputs_that_fit(of_one)) * of_one


def _bytes(dataset: Dataset) -> int:
    return sum(array.nbytes for array in vars(dataset).values() if isinstance(array, np.ndarray))


@functools.cache
def _program() -> int:
    """Bytes that the process takes before it computed anything, and the kernels; the same whenever it is asked."""
    resident = memory.process_memory("VmRSS") or 0
    return resident + LOADED + (0 if kernel_cache.kernels_are_compiled() else COMPILING)


def _solver(n: int, size: int, labels: int) -> int:
    """Bytes beside the features (n, size): of the leading directions, or of the minimisation after them."""
    if not size:
        return 0
    rank, coupled = min(n, subspace_rank(size, labels)), min(n, coupled_rank(size, labels))
    reduced, rows = 4 * n * rank, curvature_rows(n, size, labels)
    directions = (4 * min(ROWS, n) + 28 * rank) * size  # mixed in float64
    starting = 12 * rank * size + reduced + 12 * rows * rank + 24 * coupled**2 * labels
    iterations = 4 * (rank + VECTORS * labels) * size + reduced + 8 * coupled**2 * labels
    iterations += 4 * VECTORS * labels * rank + 12 * n * labels
    masked = (12 * coupled + 4 * VECTORS * labels) * size + 12 * coupled**2 * labels
    return max(directions, 8 * rank * size + 2 * reduced, starting, iterations, masked)


@functools.cache
def _scratch(source: NetworkSource, batch: int, tested: int) -> int:
    """Bytes that training steps (none for batch 0) and tests of so many inputs make the layers allocate."""
    network = source.fresh(np.random.default_rng(0))

    def step(images: Any) -> None:
        logits, _ = network.forward(images, training=True)
        network.backward(logits)

    def infer(images: Any) -> None:  # by all threads, which `Network.infer` leaves alone for few images
        network.observe(images, {"head": lambda logits: None})

    return _growth(network, batch, step) + _growth(network, tested, infer)


def _growth(network: nn.Network, batch: int, compute: Callable[[Any], object]) -> int:
    """Growth of the scratch with batches of this size: a straight line through two that surely fit."""
    tried = (max(number, network.inputs_per_pass * most // MOST) for number, most in enumerate(TRIED, 2))
    before, sizes, counted = network.scratch_bytes(), sorted({min(batch, n) for n in tried}), [0]
    for size in sizes if batch else ():
        compute(network.examples(size, np.random.default_rng(0)))
        counted.append(network.scratch_bytes() - before)
    slope = (counted[-1] - counted[-2]) / (sizes[-1] - sizes[-2]) if len(sizes) > 1 else 0
    return round(counted[-1] + slope * (batch - sizes[-1]))
