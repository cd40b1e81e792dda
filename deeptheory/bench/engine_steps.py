"""The timed steps of this engine."""

import math
from collections.abc import Callable

import numpy as np

from deeptheory import measure as measuring
from deeptheory import nn, prune
from deeptheory.bench.cases import (
    L2,
    MOMENTUM,
    N_LABELS,
    RATE,
    SEED,
    Setting,
    Step,
    Task,
    batch_of,
    grey_images,
    random_probe,
    timed,
)
from deeptheory.errors import InputError
from deeptheory.system import process_setup


def start(threads: int) -> None:
    """Set the number of threads."""
    process_setup.configure(threads)


def build(setting: Setting) -> nn.Network:
    """The network of a setting; its weights are the same in every process."""
    rng = np.random.default_rng(SEED)
    return nn.build(setting.network, N_LABELS, setting.input_shape, width=setting.width, rng=rng)


def compacted(setting: Setting) -> nn.Network:
    """The compact network of a file, or the network after random masks on everything but the first stage."""
    if setting.model:
        return _loaded(setting)
    network = build(setting)
    layers = prune.masked_layers(network, prune.maskable_stages(network), head=True)
    rng = np.random.default_rng(SEED)
    context = prune.Context(layers, network.parameters(), {}, 0.5, rng, granularity=setting.granularity)
    return prune.compact(network, prune.masks_for("random", context, setting.density))


def size_of_model(file: str) -> dict[str, int]:
    """The `size` and `channels` of the images that the network of a file takes."""
    height, _, channels = nn.load_model(file).input_shape
    return {"size": height, "channels": channels}


def _loaded(setting: Setting) -> nn.Network:
    network = nn.load_model(setting.model)
    if network.input_shape != setting.input_shape:
        expected, found = (
            "images of " + " x ".join(map(str, shape)) for shape in (setting.input_shape, network.input_shape)
        )
        do = "give the --size and --channels that it was made for"
        raise InputError(f"model {setting.model}", expected, found, do)
    return network


def train_step(task: Task) -> Step:
    """Forward, loss, backward, and SGD with Nesterov momentum and L2."""
    return timed(training(build(task.setting), task.setting))


def training(network: nn.Network, setting: Setting) -> Callable[[], None]:
    """One training step of a network."""
    images, labels = batch_of(setting)
    optimiser = nn.SGD(network, MOMENTUM, L2, False, {})

    def compute() -> None:
        logits, _ = network.forward(images, training=True)
        network.backward(nn.softmax_cross_entropy(logits, labels)[1])
        optimiser.step(RATE)

    return compute


def inference(task: Task) -> Step:
    """Logits of one batch."""
    network = build(task.setting)
    images, _ = batch_of(task.setting)
    return timed(lambda: network.infer(images))


def compact_inference(task: Task) -> Step:
    """Logits of one batch by the compact network."""
    network = compacted(task.setting)
    images, _ = batch_of(task.setting)
    return timed(lambda: network.infer(images))


def inference_pass(task: Task) -> Step:
    """Predicted labels of all images that are measured."""
    network = build(task.setting)
    images, _ = grey_images(task.setting)
    return timed(lambda: nn.predict_labels(network, images, task.setting.batch))


def measure(task: Task) -> Step:
    """Class statistics, fields, clusters, noise and SNR of every filter of every stage."""
    network = build(task.setting)
    images, labels = grey_images(task.setting)
    probes = {}
    for stage in network.stages:
        *positions, n_filters = stage.output_shape
        probes[stage.name] = random_probe(n_filters, math.prod(positions)).reshape(N_LABELS, -1)
    return timed(lambda: measuring.measure_stages(network, images, labels, probes, quiet=True))
