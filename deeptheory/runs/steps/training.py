"""Train the network of a run from its seed."""

import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import data, judge, nn
from deeptheory.data.dataset import Images, Labels
from deeptheory.data.splits import FROM_TRAIN
from deeptheory.errors import InputError
from deeptheory.nn.architectures import ARCHITECTURES
from deeptheory.runs import plugin_records
from deeptheory.runs.configuration import Config
from deeptheory.runs.network_sources import NetworkSource, stored_blueprint
from deeptheory.runs.random_streams import generator
from deeptheory.runs.run import Run, step
from deeptheory.runs.steps.layer_choice import check_later_steps
from deeptheory.store import paths


@step
def train(run: Run, group: nn.Group = nn.ALONE) -> None:
    """Draw the splits, train the network, store both with the training curve and the accuracies.

    The test split is read once, after training, to report the accuracy. The first process of a group calls this,
    the others `train_along`.
    """
    started = time.monotonic()
    config, dataset = run.config, run.dataset
    splits, network = prepare(config, dataset)
    if dataset.tests_on_training:
        run.log(
            "warning: the test inputs are those of training, one for one: accuracies say nothing about new inputs"
        )
    checkpoint = run.checkpoint(paths.CHECKPOINT)
    images, labels = data.select(dataset, splits, "train")
    training: dict[str, Any] = {
        "images": images,
        "labels": labels,
        "recipe": config.train,
        "generators": nn.Generators(
            generator(config.seed, "batches"), generator(config.seed, "augmentation")
        ),
        "early_stop": early_stop(config, dataset, splits),
        "session": nn.Session(checkpoint, f"{run.directory.name} train", run.quiet),
    }
    group.from_first(lambda: (config, dataset.n_labels, dataset.input_shape, training))
    history = nn.fit(
        network,
        **training,
        before_epoch=lambda epoch, _: _keep_to_rewind(run, network, epoch),
        group=group,
    )
    accuracies = accuracy_entries(network, dataset, splits)
    tree = {
        paths.SPLITS: split_entries(splits),
        paths.STATE: network.state(),
        paths.HISTORY: history.entries,
        **accuracies,
        paths.LABEL_NAMES: dataset.label_names,
        **vocabulary_entry(dataset),
    }
    run.finish("train", tree, started)
    checkpoint.remove()
    if history.held_out is not None and len(history.held_out):
        log_best(run, history.held_out)
    run.log(f"trained {config.network.name}, test accuracy {accuracies[paths.ACCURACY]['test']:.4f}")
    if config.train.epochs and config.data.labels == "true":
        warn_of_chance(run)


def vocabulary_entry(dataset: data.Dataset) -> dict[str, tuple[str, ...]]:
    """What a run keeps of data of texts: the word of every id, by which new texts can be read."""
    return {paths.WORDS: dataset.words} if dataset.words else {}


def early_stop(config: Config, dataset: data.Dataset, splits: data.Splits) -> nn.EarlyStop | None:
    """By what a training of this configuration stops; None if it does not before its last epoch."""
    patience = config.train.patience
    return nn.EarlyStop(*data.select(dataset, splits, "measure"), patience) if patience else None


def log_best(run: Run, held_out: NDArray[np.float64]) -> None:
    """A line in the log: which epoch's weights are kept, and what that does to the measure split."""
    best = nn.best_epoch(held_out)
    run.log(
        f"weights of epoch {best + 1}, the best of {len(held_out)} on the measure split ({held_out[best]:.4f}): "
        "these inputs chose them, so accuracies on this split, predictions among them, are a little too high; the "
        "test split was not looked at"
    )


def split_entries(splits: data.Splits) -> dict[str, Any]:
    """The entries of the step `train` that say which inputs are in which split, and which labels are wrong."""
    noise = {} if splits.noise is None else {paths.NOISE: asdict(splits.noise)}
    source = {} if splits.measure_from == FROM_TRAIN else {paths.MEASURE_FROM: splits.measure_from}
    others = (paths.NOISE, paths.MEASURE_FROM)
    return {name: value for name, value in vars(splits).items() if name not in others} | noise | source


def accuracy_entries(network: nn.Network, dataset: data.Dataset, splits: data.Splits) -> dict[str, Any]:
    """The entries of the step `train` that say how good a network is, and what chance would give."""
    images, labels = data.select(dataset, splits, "test")
    on_test = _on_test(network, images, labels)
    accuracy = {
        "measure": nn.accuracy(network, *data.select(dataset, splits, "measure")),
        "test": on_test[paths.ACCURACY],
    }
    chance = float(np.bincount(labels).max() / len(labels))
    return {**on_test, paths.ACCURACY: accuracy, paths.CHANCE: chance}


def arm_accuracy(run: Run, network: nn.Network) -> dict[str, Any]:
    """Test accuracy of a network, and which test inputs it labels correctly."""
    return _on_test(network, *data.select(run.dataset, stored_splits(run), "test"))


def _on_test(network: nn.Network, images: Images, labels: Labels) -> dict[str, Any]:
    correct = nn.predict_labels(network, images) == labels
    return {paths.ACCURACY: float(np.mean(correct)), paths.CORRECT: correct}


def warn_of_seen(run: Run) -> None:
    """A line in the log where the trained network is far better on the measure split than on the test split."""
    measured, tested = (
        run.read_number(paths.join("train", paths.ACCURACY, split)) for split in ("measure", "test")
    )
    splits = stored_splits(run)
    if judge.far_above(measured, len(splits.measure), tested, len(splits.test)):
        run.log(
            f"warning: accuracy {measured:.4f} on the measure split, {tested:.4f} on the test split: the network "
            "seems to have been trained on what it is measured on, so noise, SNR and predictions are not those of "
            "new inputs; measure on images that it has not seen (import --held-out)"
        )


def warn_of_chance(run: Run) -> None:
    """A line in the log where the trained network is not clearly above chance."""
    accuracy = run.read_number(paths.join("train", paths.ACCURACY, "test"))
    chance = run.read_number(paths.join("train", paths.CHANCE))
    n_test = len(run.read_array(paths.join("train", paths.CORRECT)))
    if judge.at_chance([accuracy], n_test, chance):
        run.log(
            f"warning: test accuracy {accuracy:.4f} is not clearly above chance ({chance:.4f}): fields, masks and "
            "verdicts mean nothing; train longer, or with another learning rate"
        )


def train_along(group: nn.Group) -> None:
    """Take part in the `train` of the first process, which sends the data and writes all results.

    Returns in all processes when the first one calls it.
    """
    while (sent := group.from_first()) is not None:
        config, n_labels, input_shape, training = sent
        plugin_records.load_recorded(config.plugins)
        network = NetworkSource(config.network, n_labels, input_shape).fresh(
            generator(config.seed, "weights")
        )
        nn.fit(network, **training, group=group)


def prepare(config: Config, dataset: data.Dataset, blueprint: str = "") -> tuple[data.Splits, nn.Network]:
    """The splits and the initial network; refuses now what would otherwise fail after the training.

    An imported network is built from its blueprint (`runs.network_sources`).

    Raises
    ------
    InputError
        Splits, network, the stages to be measured, the stages and arms to be masked, the stages to be retrained,
        or the epoch to go back to do not fit.
    """
    splits = data.draw_splits(
        dataset,
        config.data.measure_share,
        config.data.test_share,
        generator(config.seed, "split"),
        config.data.measure_from,
    )
    if config.train.label_noise:
        rng = generator(config.seed, "label-noise")
        noise = data.draw_label_noise(
            dataset.train_labels, splits.train, dataset.n_labels, config.train.label_noise, rng
        )
        splits = replace(splits, noise=noise)
    if config.prune.schedule == "iterative" and config.prune.rewind_epoch >= config.train.epochs:
        expected, found = f"below train.epochs = {config.train.epochs}", f"{config.prune.rewind_epoch}"
        raise InputError("prune.rewind_epoch", expected, found, "go back to an earlier epoch")
    _require_reader(config.network.name, dataset)
    source = NetworkSource(config.network, dataset.n_labels, dataset.input_shape, blueprint)
    network = source.fresh(generator(config.seed, "weights"))
    _require_words(dataset, network)
    check_later_steps(config, network)
    return splits, network


def _require_reader(name: str, dataset: data.Dataset) -> None:
    """Refuse a network of images for texts, and one of texts for images."""
    of_texts = bool(dataset.words)
    if name in ARCHITECTURES and ARCHITECTURES[name].reads_words != of_texts:
        able = [name for name, kind in ARCHITECTURES.items() if kind.reads_words == of_texts]
        given = "texts" if of_texts else "images"
        expected = f"one that reads {given}, as '{dataset.name}' has: {', '.join(able)}"
        raise InputError("network.name", expected, f"'{name}'")


def _require_words(dataset: data.Dataset, network: nn.Network) -> None:
    """Refuse a network that lacks words of the data."""
    if (n_words := len(dataset.words)) > network.n_words:
        expected, found = f"at least {n_words}, the words of '{dataset.name}'", f"{network.n_words}"
        raise InputError("network.words", expected, found, f"set network.words={n_words}")


def _keep_to_rewind(run: Run, network: nn.Network, epoch: int) -> None:
    options = run.config.prune
    if options.schedule == "iterative" and epoch == options.rewind_epoch:
        run.store(paths.REWIND, {"epoch": epoch, paths.STATE: network.state()})


def build_network(run: Run) -> nn.Network:
    """The run's network at its initial weights; random ones for an imported network."""
    dataset = run.dataset
    source = NetworkSource(run.config.network, dataset.n_labels, dataset.input_shape, stored_blueprint(run))
    return source.fresh(generator(run.config.seed, "weights"))


def trained_network(run: Run) -> nn.Network:
    """The run's network with its trained weights."""
    run.require("train")
    network = build_network(run)
    network.load_state(run.read_arrays(paths.join("train", paths.STATE)))
    return network


def stored_splits(run: Run) -> data.Splits:
    """The splits that were drawn when the run was trained."""
    run.require("train")
    stored = run.read_tree(paths.join("train", paths.SPLITS))
    train, measure, test = (stored.read_array(split) for split in ("train", "measure", "test"))
    noise = None
    if paths.NOISE in stored:
        noise = data.LabelNoise(**stored.read_arrays(paths.NOISE))
    source = stored.read_text(paths.MEASURE_FROM) if paths.MEASURE_FROM in stored else FROM_TRAIN
    return data.Splits(train, measure, test, bool(stored.read_number("test_from_pool")), noise, source)
