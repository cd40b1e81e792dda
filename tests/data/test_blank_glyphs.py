import numpy as np

from deeptheory import data


def test_blank_glyphs_are_rendered_ones_without_pixels():
    blank, rendered = data.blank(3, 16, 4, 2), data.render(3, 16, 4, 2, seed=0, quiet=True)
    assert (blank.name, blank.label_names) == (rendered.name, rendered.label_names)
    for part in ("train", "test"):
        images, labels = getattr(blank, f"{part}_images"), getattr(blank, f"{part}_labels")
        np.testing.assert_array_equal(labels, getattr(rendered, f"{part}_labels"))
        assert images.shape == getattr(rendered, f"{part}_images").shape
        assert not images.any()
