import dataclasses

import numpy as np
import pytest

from deeptheory.data import Dataset, draw_splits, select
from deeptheory.errors import InputError


def make(counts, n_test_per_label):
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    test_labels = np.repeat(np.arange(len(counts)), n_test_per_label)
    test_images = np.full((len(test_labels), 1, 1, 1), 255, np.uint8)
    return Dataset("tiny", images, labels, test_images, test_labels, tuple("abcdef"[: len(counts)]))


def test_splits_are_disjoint_complete_and_stratified():
    dataset = make([20, 30, 40], 2)
    splits = draw_splits(dataset, 0.1, 0.2, np.random.default_rng(0))
    assert not splits.test_from_pool
    assert np.array_equal(np.sort(np.concatenate([splits.train, splits.measure])), np.arange(90))
    assert np.array_equal(np.bincount(dataset.train_labels[splits.measure]), [2, 3, 4])
    assert np.array_equal(splits.test, np.arange(6))
    for index in (splits.train, splits.measure):
        assert index.dtype == np.int64
        assert (np.diff(index) > 0).all()


def test_without_a_test_set_the_test_split_comes_from_the_pool():
    dataset = make([20, 30, 40], 0)
    splits = draw_splits(dataset, 0.1, 0.2, np.random.default_rng(0))
    assert splits.test_from_pool
    everything = np.concatenate([splits.train, splits.measure, splits.test])
    assert np.array_equal(np.sort(everything), np.arange(90))
    assert np.array_equal(np.bincount(dataset.train_labels[splits.test]), [4, 6, 8])
    assert np.array_equal(np.bincount(dataset.train_labels[splits.measure]), [2, 2, 3])


def test_the_generator_decides_the_splits():
    dataset = make([20, 30], 1)
    first, again, other = (draw_splits(dataset, 0.3, 0.2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.measure, again.measure)
    assert not np.array_equal(first.measure, other.measure)


@pytest.mark.parametrize("n_test", [0, 2])
def test_select_gives_the_images_of_a_split(n_test):
    dataset = make([20, 30], n_test)
    splits = draw_splits(dataset, 0.1, 0.2, np.random.default_rng(0))
    images, labels = select(dataset, splits, "measure")
    assert np.array_equal(images.ravel(), splits.measure)  # each pixel holds its image's index
    assert np.array_equal(labels, dataset.train_labels[splits.measure])
    images, labels = select(dataset, splits, "test")
    assert np.array_equal(images.ravel(), [255] * 4 if n_test else splits.test)
    assert len(labels) == len(splits.test)


def test_every_label_gives_two_inputs_to_measure():
    splits = draw_splits(make([4, 30], 1), 0.5, 0.2, np.random.default_rng(0))
    assert np.array_equal(np.bincount(splits.measure // 4 > 0), [2, 15])


@pytest.mark.parametrize(
    ("counts", "n_test", "text"),
    [
        (
            [25, 0],
            1,
            "split 'train' of 'tiny': expected at least 2 inputs of every label, found 0 of label 1 .'b'",
        ),
        ([25, 2], 1, "split 'train' of 'tiny': .* found 1 of label 1 .'b'.; give this label more inputs"),
        ([25, 3], 0, "split 'train' of 'tiny': .* found 1 of label 1 .'b'"),
        ([25, 3], 1, "split 'measure' of 'tiny': .* found 1 of label 1 .'b'.; give this label more inputs"),
        (
            [25, 12],
            1,
            r"split 'measure' of 'tiny': .* found 1 of label 1 .'b'.; set data\.measure_share=0\.17$",
        ),
        ([25, 25], [1, 0], "split 'test' of 'tiny': .* at least 1 input of .* found 0 of label 1 .'b'"),
    ],
)
def test_a_label_with_too_few_inputs_in_a_split_is_named(counts, n_test, text):
    with pytest.raises(InputError, match=text):
        draw_splits(make(counts, n_test), 0.1, 0.2, np.random.default_rng(0))


def test_the_share_that_is_named_suffices():
    splits = draw_splits(make([25, 12], 1), 0.17, 0.2, np.random.default_rng(0))
    assert (splits.measure >= 25).sum() == 2


@pytest.mark.parametrize("shares", [(0.0, 0.2), (0.1, 1.0), (float("nan"), 0.2)])
def test_shares_out_of_range_are_refused(shares):
    text = "(measure|test)_share: expected a number between 0 and 1, both excluded, found"
    with pytest.raises(InputError, match=text):
        draw_splits(make([8, 8], 0), *shares, np.random.default_rng(0))


def test_unknown_split_is_refused():
    dataset = make([8, 8], 1)
    splits = draw_splits(dataset, 0.2, 0.2, np.random.default_rng(0))
    with pytest.raises(
        InputError, match=r"split: expected one of measure, test, train, found 'mesure'; did you"
    ):
        select(dataset, splits, "mesure")


def test_a_share_of_the_test_images_is_measured_on_and_not_tested_on():
    dataset = make([4, 5], 20)
    splits = draw_splits(dataset, 0.3, 0.2, np.random.default_rng(0), "test")
    assert np.array_equal(splits.train, np.arange(9))
    assert np.array_equal(np.sort(np.concatenate([splits.measure, splits.test])), np.arange(40))
    assert np.array_equal(np.bincount(dataset.test_labels[splits.measure]), [6, 6])
    images, labels = select(dataset, splits, "measure")
    assert (images == 255).all()
    assert np.array_equal(labels, dataset.test_labels[splits.measure])
    assert len(select(dataset, splits, "test")[1]) == 28
    assert "measure from the test images, test from the test images" in repr(splits)
    with pytest.raises(
        InputError, match=r"data\.measure_from: expected data with test images for 'test', found none"
    ):
        draw_splits(make([20, 20], 0), 0.3, 0.2, np.random.default_rng(0), "test")
    with pytest.raises(InputError, match="give this label more inputs, or change what is measured on"):
        draw_splits(make([4, 5], 3), 0.3, 0.2, np.random.default_rng(0), "test")


def test_all_held_out_images_are_measured_on():
    other = np.full((6, 1, 1, 1), 7, np.uint8)
    held_out = {"held_out_images": other, "held_out_labels": np.array([0, 1, 1, 0, 1, 0])}
    dataset = dataclasses.replace(make([4, 5], 2), **held_out)
    splits = draw_splits(dataset, 0.3, 0.2, np.random.default_rng(0), "further.npz")
    assert (splits.measure_from, len(splits.train), len(splits.test)) == ("held-out", 9, 4)
    images, labels = select(dataset, splits, "measure")
    assert (images == 7).all()
    assert np.array_equal(labels, held_out["held_out_labels"])
    assert dataset.fingerprint != make([4, 5], 2).fingerprint
    assert "4 (2 a label) for testing, 6 (3 a label) held out" in repr(dataset)
