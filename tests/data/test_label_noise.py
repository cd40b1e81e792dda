"""Label noise: how many labels are wrong, which, and by what."""

import numpy as np

from deeptheory import data

LABELS = np.arange(600) % 5
TRAIN = np.sort(np.random.default_rng(9).permutation(600)[:400])


def noise(share, seed=1):
    return data.draw_label_noise(LABELS, TRAIN, 5, share, np.random.default_rng(seed))


def test_a_share_of_the_train_split_gets_one_of_the_other_labels():
    drawn = noise(0.3)
    noisy = drawn.applied_to(LABELS)
    assert (noisy != LABELS).sum() == 120
    np.testing.assert_array_equal(np.flatnonzero(noisy != LABELS), drawn.inputs)
    assert np.isin(drawn.inputs, TRAIN).all()
    assert (noisy >= 0).all()
    assert (noisy <= 4).all()
    np.testing.assert_array_equal(LABELS, np.arange(600) % 5)  # a copy was changed


def test_all_wrong_labels_are_equally_likely():
    shifts = np.concatenate([(noise(0.9, s).labels - LABELS[noise(0.9, s).inputs]) % 5 for s in range(30)])
    counts = np.bincount(shifts, minlength=5)
    assert counts[0] == 0
    expected = len(shifts) / 4
    assert np.abs(counts[1:] - expected).max() < 4 * np.sqrt(expected)


def test_a_smaller_share_is_a_part_of_a_larger_one():
    few, many = noise(0.1).applied_to(LABELS), noise(0.5).applied_to(LABELS)
    replaced = few != LABELS
    assert replaced.sum() == 40
    np.testing.assert_array_equal(many[replaced], few[replaced])


def test_only_the_train_split_is_selected_with_it():
    images = np.arange(600, dtype=np.uint8).reshape(600, 1, 1, 1)
    dataset = data.Dataset("x", images, LABELS, images[:0], LABELS[:0], tuple("abcde"))
    rest = np.setdiff1d(np.arange(600), TRAIN)
    splits = data.Splits(TRAIN, rest[:100], rest[100:], True, noise(0.3))
    _, labels = data.select(dataset, splits, "train")
    assert (labels != LABELS[TRAIN]).sum() == 120
    for split in ("measure", "test"):
        np.testing.assert_array_equal(data.select(dataset, splits, split)[1], LABELS[vars(splits)[split]])
