import numpy as np

from deeptheory import data


def test_labels_are_permuted_and_images_left():
    glyphs = data.render(n_labels=5, size=16, train_per_label=40, test_per_label=10, seed=0, quiet=True)
    shuffled = data.shuffle_labels(glyphs, np.random.default_rng(0))
    assert shuffled.train_images is glyphs.train_images
    for part in ("train_labels", "test_labels"):
        new, old = getattr(shuffled, part), getattr(glyphs, part)
        np.testing.assert_array_equal(np.bincount(new), np.bincount(old))
        assert abs(np.mean(new == old) - 1 / 5) < 0.1
