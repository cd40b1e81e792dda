"""What of a run decides how large its arrays are and how many steps it takes."""

import functools
import math
from dataclasses import dataclass

import msgspec
import numpy as np

from deeptheory import nn, prune
from deeptheory.measure.streaming import BATCH
from deeptheory.runs.configuration import Config
from deeptheory.runs.network_sources import NetworkSource
from deeptheory.runs.run import outlined
from deeptheory.runs.steps.layer_choice import layers_to_mask, stages_to_measure
from deeptheory.runs.steps.training import prepare
from deeptheory.system import kernel_cache, memory

# Bytes that compiled kernels take, with the libraries that come with them; and what compiling them takes.
LOADED, COMPILING = 70_000_000, 160_000_000


@dataclass(frozen=True)
class Sizes:
    """What of a run decides how large its arrays are.

    Attributes
    ----------
    config : Config
    source : NetworkSource
    program : int
        Bytes of this process before it computed anything, and of the kernels that a run loads.
    n_labels : int
    input_shape : (H, W, C)
    inputs : dict of str to int
        By split.
    dataset : int
        Bytes of images and labels of all splits.
    outputs, filters : dict of str to int
        C*P and C of every stage that is measured.
    probed : tuple of str
        The stages whose probe has to be fitted.
    parameters, state : int
        Bytes of the parameters, and with the buffers.
    masked : int
        Layers that are masked.
    patches : tuple of (int, int)
        Weights of a filter and outputs per filter, of every layer that masks can change.
    training, retraining, inferring : int
        Bytes of the network's scratch (`nn.scratch_bytes`): after training and testing, or inference alone.
    """

    config: Config
    source: NetworkSource
    program: int
    n_labels: int
    input_shape: tuple[int, int, int]
    inputs: dict[str, int]
    dataset: int
    outputs: dict[str, int]
    filters: dict[str, int]
    probed: tuple[str, ...]
    parameters: int
    state: int
    masked: int
    patches: tuple[tuple[int, int], ...]
    training: int
    retraining: int
    inferring: int

    def split(self, *names: str) -> int:
        """Bytes of copies of splits."""
        per_input = math.prod(self.input_shape) + np.dtype(np.int64).itemsize
        return sum(self.inputs[name] for name in names) * per_input

    @property
    def last(self) -> int:
        """Outputs C*P of the last stage."""
        return list(self.outputs.values())[-1]


def sizes_of(config: Config, quiet: bool = False, blueprint: str = "") -> Sizes:
    """The sizes of one run, with the blueprint of its network if that is imported; seeds share them.

    Raises
    ------
    InputError
        What training would refuse: data, splits, network, stages, arms.
    """
    return _sizes(msgspec.structs.replace(config, seed=0), quiet, blueprint)


@functools.cache
def _sizes(config: Config, quiet: bool, blueprint: str) -> Sizes:
    program = _program()
    dataset = outlined(config, quiet)
    splits, network = prepare(config, dataset, blueprint)
    parameters = network.parameters()
    source = NetworkSource(config.network, dataset.n_labels, dataset.input_shape, blueprint)
    arrays = dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels
    stages = stages_to_measure(config.measure, network)
    inputs = {name: len(getattr(splits, name)) for name in ("train", "measure", "test")}
    tested = min(BATCH, max(inputs["measure"], inputs["test"]))
    return Sizes(
        config=config,
        source=source,
        program=program,
        n_labels=dataset.n_labels,
        input_shape=dataset.input_shape,
        inputs=inputs,
        dataset=sum(array.nbytes for array in arrays),
        outputs={stage: math.prod(network.output_shape(stage)) for stage in stages},
        filters={stage: network.output_shape(stage)[-1] for stage in stages},
        probed=tuple(stages[:-1] if network.classifier_is_probe else stages),
        parameters=sum(array.nbytes for array in parameters.values()),
        state=sum(array.nbytes for array in (*parameters.values(), *network.buffers().values())),
        masked=len(layers_to_mask(config.prune, network)),
        patches=_patches(network, config),
        training=_scratch(source, config.train.batch, tested),
        retraining=_scratch(source, config.retrain.batch, tested),
        inferring=_scratch(source, 0, BATCH),
    )


def _patches(network: nn.Network, config: Config) -> tuple[tuple[int, int], ...]:
    names = [name for name, array in network.parameters().items() if array.ndim > 1]
    masked = f"{config.prune.stages[0]}." if config.prune.stages else prune.HEAD_WEIGHT
    first = next((place for place, name in enumerate(names) if name.startswith(masked)), len(names))
    layers = [name for name in names[first:] if name != prune.HEAD_WEIGHT and name.endswith(".weight")]
    shapes = {name: network.parameters()[name].shape for name in layers}
    return tuple(
        (math.prod(shape[1:]), math.prod(network.output_shape(name.removesuffix(".weight"))[:-1]))
        for name, shape in shapes.items()
    )


def fresh_network(source: NetworkSource) -> nn.Network:
    """A network to try things on."""
    return source.fresh(np.random.default_rng(0))


@functools.cache
def _scratch(source: NetworkSource, training: int, inferring: int) -> int:
    return nn.scratch_bytes(fresh_network(source), training, inferring)


@functools.cache
def _program() -> int:
    """The same whenever it is asked for: later on the process holds what was tried."""
    resident = memory.process_memory("VmRSS") or 0
    return resident + LOADED + (0 if kernel_cache.kernels_are_compiled() else COMPILING)
