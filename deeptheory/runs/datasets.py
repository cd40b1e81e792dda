"""The data sets of runs: read once for all runs of a process, with the labels that each of them asks for."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from deeptheory import data
from deeptheory.data.files import version
from deeptheory.data.loading import SOURCES, reading_of, refuse_resize
from deeptheory.data.splits import FROM_TRAIN
from deeptheory.errors import InputError
from deeptheory.runs.configuration import Config
from deeptheory.runs.random_streams import generator


def labelled(dataset: data.Dataset, config: Config) -> data.Dataset:
    """The data set as the configuration asks for it: held-out images; all or some labels, true or shuffled."""
    options = config.data
    dataset = data.with_held_out(dataset, options.measure_from, options.resize, reading_of(options))
    if options.labels_used and options.source == "glyphs":
        do = "set data.n_labels"
        raise InputError("data.labels_used", "0 for glyphs", f"{options.labels_used}", do)
    if options.labels_used:
        dataset = data.choose_labels(dataset, options.labels_used, generator(config.seed, "labels-used"))
    if options.labels == "true":
        return dataset
    return data.shuffle_labels(dataset, generator(config.seed, "shuffled-labels"))


def outlined(config: Config, quiet: bool = False) -> data.Dataset:
    """The data set of a configuration for its shapes and labels; glyphs, which are slow to render, stay blank."""
    options = config.data
    if options.source == "glyphs":
        refuse_resize(options.resize, "glyphs")
        dataset = data.blank(options.n_labels, options.size, options.train_per_label, options.test_per_label)
    else:
        dataset = load_whole(options, quiet)
    return labelled(dataset, config)


def load_whole(options: data.DataOptions, quiet: bool = False) -> data.Dataset:
    """The whole data set, which runs on some of its labels share; the last one is kept while its files stay."""
    key = state(options)
    if key not in _kept:
        loaded = data.load(_whole(options), quiet=quiet)
        _kept.clear()
        _kept[key] = loaded
    return _kept[key]


@contextlib.contextmanager
def standing_for(options: data.DataOptions, dataset: data.Dataset) -> Iterator[None]:
    """Take a data set in memory, in the block, for the file that it will be written to."""
    _standing[_whole(options)] = object()
    _kept.clear()
    _kept[state(options)] = dataset
    try:
        yield
    finally:
        _kept.clear()
        _standing.clear()


def state(options: data.DataOptions) -> "State":
    """What a data set is loaded by, in its state of now: another one where its files have changed."""
    whole = _whole(options)
    read = SOURCES.get(options.source)  # what a plug-in of this name reads
    return whole, read, _standing.get(whole) or (version(Path(options.path)) if options.path else None)


State = tuple[data.DataOptions, object, object]
_kept: dict[State, data.Dataset] = {}
_standing: dict[data.DataOptions, object] = {}


def _whole(options: data.DataOptions) -> data.DataOptions:
    return msgspec.structs.replace(options, labels_used=0, measure_from=FROM_TRAIN)
