"""Data sets by options, files and arrays."""

from dataclasses import fields

import numpy as np
import pytest

import deeptheory as dt
from deeptheory import data
from deeptheory.errors import InputError

OPTIONS = {"n_labels": 5, "size": 16, "train_per_label": 12, "test_per_label": 4}


def test_glyphs_are_those_of_the_options():
    loaded = dt.load_data("glyphs", **OPTIONS)
    assert loaded.fingerprint == data.load(data.DataOptions(**OPTIONS), quiet=True).fingerprint
    with pytest.raises(ValueError, match="read-only"):
        loaded.train_images[0] = 0


def test_a_path_may_be_a_text(tmp_path):
    data.pack(dt.load_data("glyphs", **OPTIONS), tmp_path / "glyphs.npz")
    loaded = dt.load_data(str(tmp_path / "glyphs.npz"), file_labels=5)
    assert loaded.n_labels == 5
    with pytest.raises(InputError, match="expected 6 labels, found 5"):
        dt.load_data(tmp_path / "glyphs.npz", file_labels=6)


def test_a_file_that_is_replaced_is_read_again_and_no_run_takes_it_for_what_was_loaded(tmp_path):
    file, made = tmp_path / "glyphs.npz", dt.load_data("glyphs", **OPTIONS)
    arrays = {each.name: getattr(made, each.name) for each in fields(data.Dataset)}
    data.pack(made, file)
    before = dt.load_data(file)
    data.pack(data.Dataset(**{**arrays, "train_labels": arrays["train_labels"][::-1].copy()}), file)
    with pytest.raises(InputError) as refused:
        dt.train({}, before, out=tmp_path / "run")
    assert str(refused.value) == (
        f"data path {file}: expected the files that were loaded, found ones changed since; "
        "load them again by load_data"
    )
    assert not (tmp_path / "run").exists()
    after = dt.load_data(file)
    assert np.array_equal(after.train_labels, made.train_labels[::-1])


def test_arrays_with_a_test_set_and_names():
    images, labels = np.zeros((6, 4, 4, 3), np.uint8), np.array([0, 1, 0, 1, 0, 1])
    loaded = dt.load_data(images, labels, test=(images[:2], labels[:2]), label_names=("on", "off"))
    assert (len(loaded.test_images), loaded.label_names) == (2, ("on", "off"))
    assert np.shares_memory(loaded.train_images, images)


@pytest.mark.parametrize(
    ("arguments", "named", "words"),
    [
        (("glyphs",), {"n_label": 5}, ["option 'data.n_label'", "did you mean 'n_labels'?"]),
        (("glyphs",), {"n_labels": 2}, ["data.n_labels", ">= 3", "found 2"]),
        (("glyphs", [0, 1]), {}, ["nothing beside 'glyphs' but options", "found labels"]),
        ((np.zeros((2, 4, 4), np.uint8),), {}, ["labels of the images", "load_data(images, labels)"]),
        ((np.zeros((2, 4, 4), np.uint8), [0, 1]), {"size": 16}, ["no options beside arrays", "found size"]),
    ],
)
def test_what_load_data_refuses(arguments, named, words):
    with pytest.raises(InputError) as refused:
        dt.load_data(*arguments, **named)
    for word in words:
        assert word in str(refused.value)
