"""The data sets of runs: read once for all runs of a process, with the labels that each of them asks for."""

import functools

import msgspec

from deeptheory import data
from deeptheory.data.loading import SOURCES
from deeptheory.errors import InputError
from deeptheory.runs.configuration import Config
from deeptheory.runs.random_streams import generator


def labelled(dataset: data.Dataset, config: Config) -> data.Dataset:
    """The data set with the labels that the configuration asks for: all or some, true or shuffled."""
    options = config.data
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
        dataset = data.blank(options.n_labels, options.size, options.train_per_label, options.test_per_label)
    else:
        dataset = load_whole(options, quiet)
    return labelled(dataset, config)


def load_whole(options: data.DataOptions, quiet: bool = False) -> data.Dataset:
    """The whole data set, which runs on some of its labels share."""
    return _load(msgspec.structs.replace(options, labels_used=0), quiet, SOURCES.get(options.source))


@functools.lru_cache(maxsize=1)
def _load(options: data.DataOptions, quiet: bool, source: object) -> data.Dataset:
    return data.load(options, quiet=quiet)
