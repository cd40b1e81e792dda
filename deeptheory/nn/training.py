"""Training a network, with masks, checkpoints and exact resumption."""

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.data import augmentation
from deeptheory.data.dataset import Images, Labels
from deeptheory.data.texts import IDS
from deeptheory.errors import InputError
from deeptheory.nn.early_stopping import EarlyStop, best_epoch
from deeptheory.nn.learning_rates import check_schedule, learning_rate
from deeptheory.nn.loss import softmax_cross_entropy
from deeptheory.nn.network import Network
from deeptheory.nn.optimiser import Mask, Optimiser, make_optimiser
from deeptheory.nn.options import Recipe
from deeptheory.nn.process_groups import ALONE, Group
from deeptheory.nn.training_state import Checkpoint, identity_of, stored_checkpoint
from deeptheory.store.checkpoints import CheckpointStore
from deeptheory.system import compile_notice, interruption, threadpools
from deeptheory.system.progress import Progress

BeforeEpoch = Callable[[int, Mapping[str, Mask]], Mapping[str, Mask] | None]


@dataclass
class History:
    """One value per epoch, float64 `(epochs,)`.

    Attributes
    ----------
    loss, accuracy : array
        Means over the training inputs as the network saw them: augmented, in training mode, while the weights
        changed. They are not the loss and accuracy of the network at the end of the epoch.
    learning_rate : array
        Of the epoch's first step.
    seconds : array
        Wall time.
    held_out : array, optional
        Accuracy on the inputs of `EarlyStop` at the end of the epoch. The weights are those of its first maximum.
    """

    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    learning_rate: NDArray[np.float64]
    seconds: NDArray[np.float64]
    held_out: NDArray[np.float64] | None = None

    @property
    def entries(self) -> dict[str, NDArray[np.float64]]:
        """The curves by name, to be stored."""
        return {name: curve for name, curve in vars(self).items() if curve is not None}


class Generators(NamedTuple):
    """Sources of randomness of a training.

    Attributes
    ----------
    batches : numpy.random.Generator
        Draws the order of the inputs.
    augment : numpy.random.Generator
        Draws shifts and flips.
    """

    batches: np.random.Generator
    augment: np.random.Generator


class Session(NamedTuple):
    """How a training is stored, shown and stopped; its result does not depend on it.

    Attributes
    ----------
    checkpoint : CheckpointStore, optional
        Written every few minutes, on interruption and at the end. Training continues from an existing checkpoint,
        bit for bit as if it had not stopped (with the same number of threads); if that is of a finished training,
        `fit` returns at once.
    title : str
        Name of this training in the progress report.
    quiet : bool
        Show no progress.
    should_stop : callable
        Asked after every step; by default whether a signal asked the process to stop.
    """

    checkpoint: CheckpointStore | None = None
    title: str = "train"
    quiet: bool = False
    should_stop: Callable[[], bool] = interruption.requested


DEFAULTS = Session()


def fit(
    network: Network,
    images: Images,
    labels: Labels,
    recipe: Recipe,
    generators: Generators,
    *,
    masks: Mapping[str, Mask] | None = None,
    stages: Collection[str] = (),
    before_epoch: BeforeEpoch = lambda epoch, masks: None,
    early_stop: EarlyStop | None = None,
    session: Session = DEFAULTS,
    group: Group = ALONE,
) -> History:
    """Train `network` in place.

    Every epoch visits all inputs once in a new random order; a last batch of a single input is left out.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C)
    labels : int array (N,)
    recipe : Recipe
    generators : Generators
    masks : mapping of parameter names to bool arrays, optional
        See `Optimiser`; enforced before the first step and at every step.
    stages : collection of str, optional
        The stages that are trained, "head" for the head; all if empty. The parameters of the others are held, not
        their buffers: every batch norm normalises by the batch and follows its running statistics, as in PyTorch
        where the parameters of a stage have the learning rate 0 in training mode.
    before_epoch : callable, optional
        Called before the first step of every epoch with the number of the epoch, from 0, and the masks in force.
        It may change the network's weights, and may return masks that replace those in force.
    early_stop : EarlyStop, optional
        Inputs by which the training may stop before its last epoch. The network gets the weights of its best one,
        whether it stopped or not.
    session : Session, optional
    group : Group
        The processes that train it together, each on a part of every batch. All of them call `fit` with the
        same data, recipe and generators. The first one alone calls `before_epoch`, writes and reports; all take
        weights, masks and checkpoint from it, and all stop as soon as one should.

    Raises
    ------
    InputError
        Images, labels, masks or stages do not fit the network; the schedule cannot be followed; the checkpoint is
        of another training; a batch has fewer inputs than there are processes; or the loss becomes NaN or infinite
        (the last checkpoint is kept).
    interruption.Interrupted
        The training was stopped; its checkpoint has been written.
    """
    _check_data(network, images, labels, recipe)
    _check_parts(group, len(labels), recipe.batch)
    check_schedule(recipe, "recipe")
    checkpoint = session.checkpoint
    optimiser = make_optimiser(network, recipe, masks, stages)
    now = Checkpoint(identity_of(network, labels, recipe, masks or {}, stages))
    if checkpoint and (tree := group.from_first(checkpoint.load)):
        now = stored_checkpoint(checkpoint, tree, now.identity)
        _restore(now, network, optimiser, generators)
    steps = steps_per_epoch(len(labels), recipe.batch)
    optimiser.n_steps = now.epoch * steps + now.step
    progress = Progress(
        session.title, recipe.epochs * steps, "step", session.quiet or group.rank > 0, stoppable=False
    )
    with (
        interruption.deferred(), threadpools.kernel_threads(), network.trained_by(group),
        compile_notice.shown_by(progress.say), progress,
    ):  # fmt: skip
        while not _is_over(now, recipe, early_stop):
            if now.step == 0:
                _prepare_epoch(now.epoch, before_epoch, network, optimiser, group)
                now.order = generators.batches.permutation(len(labels))
                now.totals = dict.fromkeys(now.totals, 0)
            started = time.perf_counter()
            index = now.order[now.step * recipe.batch : (now.step + 1) * recipe.batch]
            draws = augmentation.draw(generators.augment, len(index), recipe.shift, recipe.flip)
            part = group.part(len(index))
            inputs = augmentation.batch(images, index[part], draws[0][part], draws[1][part])
            rate = learning_rate(recipe, now.epoch * steps + now.step, steps)
            loss, n_correct = _step(optimiser, inputs, labels[index[part]], len(index), rate, recipe, group)
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
                _close_epoch(now, learning_rate(recipe, now.epoch * steps, steps), network, early_stop, group)
            done = _is_over(now, recipe, early_stop)
            stop = not done and group.agree_to_stop(session.should_stop())
            if checkpoint and group.rank == 0 and (stop or done or checkpoint.due):
                now.state, now.masks = network.state(), optimiser.masks
                now.velocity, now.mean_square = optimiser.velocity, optimiser.mean_square
                now.generators = {name: rng.bit_generator.state for name, rng in generators._asdict().items()}
                checkpoint.save(now.stored)
            if stop:
                group.wait()
                where = f"after step {now.step} of epoch {now.epoch + 1}"
                raise interruption.Interrupted(f"{session.title} stopped {where}")
        group.wait()
    if now.best:
        network.load_state(now.best)
    return History(**now.history)


def _close_epoch(
    now: Checkpoint, rate: float, network: Network, early_stop: EarlyStop | None, group: Group
) -> None:
    """End an epoch; where the training may stop early, look how good the network is and keep the best state."""
    if early_stop is None:
        now.close_epoch(rate)
        return
    now.close_epoch(rate, held_out=group.from_first(lambda: early_stop.look_at(network)))
    if best_epoch(now.history["held_out"]) == now.epoch - 1:
        now.best = network.state()


def _is_over(now: Checkpoint, recipe: Recipe, early_stop: EarlyStop | None) -> bool:
    if early_stop is None or now.epoch == 0:
        return now.epoch == recipe.epochs
    return now.epoch == recipe.epochs or early_stop.is_over(now.history["held_out"])


def _step(
    optimiser: Optimiser,
    inputs: NDArray[np.float32],
    labels: Labels,
    n_inputs: int,
    rate: float,
    recipe: Recipe,
    group: Group,
) -> tuple[float, int]:
    """One step on this process's part of a batch; mean loss and number of correct labels of the whole batch."""
    network = optimiser.network
    logits, _ = network.forward(inputs, training=True)
    loss, dlogits = softmax_cross_entropy(logits, labels, n_inputs, recipe.label_smoothing)
    loss, n_correct = group.sum(loss, int(np.sum(logits.argmax(axis=1) == labels)))
    if math.isfinite(loss):
        network.backward(dlogits, stages=optimiser.stages)
        group.add_up(network.gradients(optimiser.stages).values())
        if recipe.clip_norm:
            optimiser.clip(recipe.clip_norm)
        optimiser.step(rate)
    return float(loss), int(n_correct)


def _prepare_epoch(
    epoch: int, before_epoch: BeforeEpoch, network: Network, optimiser: Optimiser, group: Group
) -> None:
    masks = group.from_first(lambda: before_epoch(epoch, optimiser.masks))
    if group.size > 1:
        network.load_state(group.from_first(network.state))
    if masks is not None:
        optimiser.use_masks(masks)


def _restore(checkpoint: Checkpoint, network: Network, optimiser: Optimiser, generators: Generators) -> None:
    network.load_state(checkpoint.state)
    optimiser.velocity, optimiser.mean_square = checkpoint.velocity, checkpoint.mean_square
    optimiser.use_masks(checkpoint.masks)
    for name, rng in generators._asdict().items():
        rng.bit_generator.state = checkpoint.generators[name]


def steps_per_epoch(n: int, batch: int) -> int:
    """Steps of one epoch over n inputs: a last batch of a single one is left out."""
    full, rest = divmod(n, batch)
    return max(full + (rest > 1), 1)


def _check_data(network: Network, images: Images, labels: Labels, recipe: Recipe) -> None:
    if len(images) != len(labels) or len(labels) == 0:
        raise InputError("labels", f"one for each of the {len(images)} images, at least 1", str(len(labels)))
    kind = np.dtype(IDS if network.n_words else np.uint8)
    if images.shape[1:] != network.input_shape or images.dtype != kind:
        raise InputError(
            "texts" if network.n_words else "images",
            f"{kind} of shape (N, {', '.join(map(str, network.input_shape))})",
            f"{images.dtype} of shape {images.shape}",
        )
    if network.n_words and (recipe.shift or recipe.flip):
        found, do = f"{recipe.shift} and {recipe.flip}", "set train.shift=0 and train.flip=false"
        raise InputError("shift and flip", "0 and false for texts, which have no pixels", found, do)
    if labels.min() < 0 or labels.max() >= network.n_labels:
        outside = labels[(labels < 0) | (labels >= network.n_labels)][0]
        raise InputError("labels", f"0 to {network.n_labels - 1}", str(outside), "build with more labels")


def _check_parts(group: Group, n: int, batch: int) -> None:
    rest = n % batch
    smallest = min(n, batch, rest if rest > 1 else batch)
    if group.size > smallest:
        expected = f"at most {smallest}, the inputs of the smallest batch"
        raise InputError("processes", expected, str(group.size), "start fewer, or choose another train.batch")


def _diverged(loss: float, now: Checkpoint, checkpoint: CheckpointStore | None) -> InputError:
    kept = "no checkpoint was asked for"
    if checkpoint:
        written = checkpoint.path.exists()
        kept = f"{checkpoint.path} keeps the last good one" if written else "none was written yet"
    return InputError(
        f"loss at epoch {now.epoch + 1}, step {now.step + 1}",
        "a finite number",
        str(loss),
        f"use a smaller learning_rate ({kept})",
    )
