"""Training a network, with masks, checkpoints and exact resumption."""

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np

from deeptheory.data import augmentation
from deeptheory.errors import InputError
from deeptheory.nn.layers.base import Array
from deeptheory.nn.learning_rates import learning_rate
from deeptheory.nn.loss import softmax_cross_entropy
from deeptheory.nn.network import Network
from deeptheory.nn.optimiser import SGD
from deeptheory.nn.options import Recipe
from deeptheory.nn.process_groups import ALONE, Group
from deeptheory.nn.training_state import Checkpoint
from deeptheory.store.checkpoints import CheckpointStore
from deeptheory.system import interruption, kernel_cache, threadpools
from deeptheory.system.progress import Progress

BeforeEpoch = Callable[[int, Mapping[str, Array]], Mapping[str, Array] | None]


@dataclass
class History:
    """One value per epoch, float64 `(epochs,)`.

    Attributes
    ----------
    loss, accuracy : array
        Means over the training inputs as they were seen, augmented and in training mode, while the
        weights moved: not the loss and accuracy of the network at the end of the epoch.
    learning_rate : array
        Of the epoch's first step.
    seconds : array
        Wall time.
    """

    loss: Array
    accuracy: Array
    learning_rate: Array
    seconds: Array


def fit(
    network: Network,
    images: Array,
    labels: Array,
    recipe: Recipe,
    rng_batches: np.random.Generator,
    rng_augment: np.random.Generator,
    *,
    masks: Mapping[str, Array] | None = None,
    before_epoch: BeforeEpoch = lambda epoch, masks: None,
    checkpoint: CheckpointStore | None = None,
    title: str = "train",
    quiet: bool = False,
    should_stop: Callable[[], bool] = interruption.requested,
    group: Group = ALONE,
) -> History:
    """Train `network` in place.

    Every epoch sees all inputs once in a new random order; a last batch of a single input is left out.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C)
    labels : int array (N,)
    recipe : Recipe
    rng_batches, rng_augment : numpy.random.Generator
        Source of the order of the inputs, and of shifts and flips.
    masks : mapping of parameter names to bool arrays, optional
        See `SGD`; enforced before the first step and at every step.
    before_epoch : callable, optional
        Called with the number of every epoch, from 0, and the masks in force, before its first step; it may
        change the network's weights and return masks that are enforced from then on.
    checkpoint : CheckpointStore, optional
        Written every few minutes, on interruption and at the end. Training goes on from the checkpoint it finds,
        bit for bit as if it had not stopped (with the same number of threads); a finished one returns at once.
    title : str
        What the progress report calls this training.
    should_stop : callable
        Asked after every step; by default whether a signal asked the process to stop. All processes of a group
        stop as soon as one is told so.
    group : Group
        The processes that train it together, each with a part of every batch. All of them call `fit` with the
        same data, recipe and generators; weights, masks and checkpoint are those of the first, which alone
        calls `before_epoch`, writes and reports.

    Raises
    ------
    InputError
        If images, labels or masks do not fit the network, the checkpoint is of another training, a batch has
        fewer inputs than there are processes, or the loss becomes NaN or infinite; the last good checkpoint
        is kept.
    stopping.Interrupted
        When `should_stop` said so, after a checkpoint was written.
    """
    _check_data(network, images, labels)
    _check_parts(group, len(labels), recipe.batch)
    optimiser = SGD(network, recipe.momentum, recipe.l2, recipe.l2_on_all, masks or {})
    generators = {"batches": rng_batches, "augment": rng_augment}
    now = Checkpoint(
        identity=_identity(network, labels, recipe, masks or {}),
        epoch=0,
        step=0,
        order=np.empty(0, np.int64),
        totals={"loss": 0.0, "correct": 0, "inputs": 0, "seconds": 0.0},
        generators={},
        state={},
        momentum={},
        history=asdict(History(*(np.empty(0) for _ in range(4)))),
        masks={},
    )
    if checkpoint and (found := group.from_first(checkpoint.load)):
        now = _resume(checkpoint, found, now.identity, network, optimiser, generators)
    steps = steps_per_epoch(len(labels), recipe.batch)

    with (
        interruption.deferred(),
        threadpools.kernel_threads(),
        network.trained_by(group),
        Progress(title, recipe.epochs * steps, "step", quiet or group.rank > 0, stoppable=False) as progress,
    ):
        if not kernel_cache.kernels_are_compiled():
            progress.say("compiling the kernels, half a minute on a first start")
        while now.epoch < recipe.epochs:
            if now.step == 0:
                _prepare_epoch(now.epoch, before_epoch, network, optimiser, group)
                now.order = rng_batches.permutation(len(labels))
                now.totals = dict.fromkeys(now.totals, 0)
            started = time.perf_counter()
            index = now.order[now.step * recipe.batch : (now.step + 1) * recipe.batch]
            rate = learning_rate(recipe, now.epoch * steps + now.step, steps)
            draws = augmentation.draw(rng_augment, len(index), recipe.shift, recipe.flip)
            loss, n_correct = _step(network, optimiser, images, labels, index, draws, rate, group)
            if not math.isfinite(loss):
                raise _diverged(loss, now, checkpoint)
            now.step += 1
            now.totals["loss"] += loss * len(index)
            now.totals["correct"] += n_correct
            now.totals["inputs"] += len(index)
            now.totals["seconds"] += time.perf_counter() - started
            mean_loss = now.totals["loss"] / now.totals["inputs"]
            progress.advance(now.epoch * steps + now.step, f"epoch {now.epoch + 1}, loss {mean_loss:.3f}")
            if now.step == steps:
                _close_epoch(now, learning_rate(recipe, now.epoch * steps, steps))
            stop = now.epoch < recipe.epochs and group.agree_to_stop(should_stop())
            if checkpoint and group.rank == 0 and (stop or now.epoch == recipe.epochs or checkpoint.due):
                now.state, now.momentum, now.masks = network.state(), optimiser.momentum, optimiser.masks
                now.generators = {name: rng.bit_generator.state for name, rng in generators.items()}
                checkpoint.save(now.stored)
            if stop:
                group.wait()
                where = f"after step {now.step} of epoch {now.epoch + 1}"
                raise interruption.Interrupted(f"{title} stopped {where}")
        group.wait()
    return History(**now.history)


def _step(
    network: Network,
    optimiser: SGD,
    images: Array,
    labels: Array,
    index: Array,
    draws: tuple[Array, Array],
    rate: float,
    group: Group,
) -> tuple[float, int]:
    own = group.part(len(index))
    inputs = augmentation.batch(images, *(array[own] for array in (index, *draws)))
    logits, _ = network.forward(inputs, training=True)
    target = labels[index[own]]
    loss, dlogits = softmax_cross_entropy(logits, target, len(index))
    loss, n_correct = group.sum(loss, int(np.sum(logits.argmax(axis=1) == target)))
    if math.isfinite(loss):
        network.backward(dlogits)
        group.add_up(network.gradients().values())
        optimiser.step(rate)
    return float(loss), int(n_correct)


def _prepare_epoch(
    epoch: int, before_epoch: BeforeEpoch, network: Network, optimiser: SGD, group: Group
) -> None:
    revised = group.from_first(lambda: before_epoch(epoch, optimiser.masks))
    if group.size > 1:
        network.load_state(group.from_first(network.state))
    if revised is not None:
        optimiser.use_masks(revised)


def steps_per_epoch(n: int, batch: int) -> int:
    """Steps of one epoch over n inputs: a last batch of a single one is left out."""
    full, rest = divmod(n, batch)
    return max(full + (rest > 1), 1)


def _close_epoch(now: Checkpoint, rate: float) -> None:
    seen = now.totals["inputs"]
    values = {
        "loss": now.totals["loss"] / seen,
        "accuracy": now.totals["correct"] / seen,
        "learning_rate": rate,
        "seconds": now.totals["seconds"],
    }
    now.history = {key: np.append(now.history[key], value) for key, value in values.items()}
    now.epoch, now.step, now.order = now.epoch + 1, 0, np.empty(0, np.int64)


def _check_data(network: Network, images: Array, labels: Array) -> None:
    if len(images) != len(labels) or len(labels) == 0:
        raise InputError("labels", f"one for each of the {len(images)} images, at least 1", str(len(labels)))
    if images.shape[1:] != network.input_shape or images.dtype != np.uint8:
        raise InputError(
            "images",
            f"uint8 of shape (N, {', '.join(map(str, network.input_shape))})",
            f"{images.dtype} of shape {images.shape}",
        )
    if labels.min() < 0 or labels.max() >= network.n_labels:
        outside = labels[(labels < 0) | (labels >= network.n_labels)][0]
        raise InputError("labels", f"0 to {network.n_labels - 1}", str(outside), "build with more labels")


def _check_parts(group: Group, n: int, batch: int) -> None:
    rest = n % batch
    smallest = min(n, batch, rest if rest > 1 else batch)
    if group.size > smallest:
        expected = f"at most {smallest}, the inputs of the smallest batch"
        raise InputError("processes", expected, str(group.size), "start fewer, or choose another train.batch")


def _identity(network: Network, labels: Array, recipe: Recipe, masks: Mapping[str, Array]) -> str:
    digest = hashlib.sha256(msgspec.json.encode(recipe))
    digest.update(repr([(name, a.shape) for name, a in network.parameters().items()]).encode())
    digest.update(np.asarray(labels, np.int64).tobytes())
    for name in sorted(masks):
        digest.update(name.encode() + np.packbits(masks[name]).tobytes())
    return digest.hexdigest()


def _resume(
    store: CheckpointStore,
    tree: Mapping[str, Any],
    identity: str,
    network: Network,
    optimiser: SGD,
    generators: Mapping[str, np.random.Generator],
) -> Checkpoint:
    try:
        found = Checkpoint.from_stored(tree)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"checkpoint {store.path}", "that of a training", repr(error), "delete it to train from the start"
        ) from error
    if found.identity != identity:
        raise InputError(
            f"checkpoint {store.path}",
            "the same network, labels, recipe and masks",
            "those of another training",
            "delete it to train from the start",
        )
    network.load_state(found.state)
    optimiser.momentum = found.momentum
    optimiser.use_masks(found.masks)
    for name, rng in generators.items():
        rng.bit_generator.state = found.generators[name]
    return found


def _diverged(loss: float, now: Checkpoint, checkpoint: CheckpointStore | None) -> InputError:
    kept = "no checkpoint was asked for"
    if checkpoint:
        kept = (
            f"{checkpoint.path} keeps the last good one"
            if checkpoint.path.exists()
            else "none was written yet"
        )
    return InputError(
        f"loss at epoch {now.epoch + 1}, step {now.step + 1}",
        "a finite number",
        str(loss),
        f"use a smaller learning_rate ({kept})",
    )
