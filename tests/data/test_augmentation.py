import numpy as np
import pytest

from deeptheory.data import augmentation


def plain_batch(images, index, shifts, flips):
    """The same from whole arrays: mirror, pad with black, cut out."""
    out = []
    for i, (down, right), flip in zip(index, shifts, flips, strict=True):
        image = images[i, :, ::-1] if flip else images[i]
        height, width, _ = image.shape
        padded = np.pad(image, ((height, height), (width, width), (0, 0)))
        out.append(padded[height - down : 2 * height - down, width - right : 2 * width - right])
    return augmentation.scale(np.array(out))


PLAIN = getattr(
    augmentation._batch, "py_func", augmentation._batch
)  # itself where compilation is switched off


@pytest.mark.parametrize("kernel", [augmentation.batch, PLAIN], ids=["compiled", "plain"])
def test_batch_agrees_with_whole_arrays(kernel):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
    index = np.array([5, 0, 0, 3, 2])
    shifts = np.array([[0, 0], [2, -1], [-2, 3], [5, 0], [1, 1]])  # the fourth moves all of the image out
    flips = np.array([True, False, True, False, True])
    batch = kernel(images, index, shifts, flips)
    assert batch.dtype == np.float32
    assert np.array_equal(batch, plain_batch(images, index, shifts, flips))
    assert (batch[3] == -1).all()


def test_scale_takes_grey_levels_to_minus_one_to_one():
    scaled = augmentation.scale(np.array([0, 51, 255], np.uint8))
    assert scaled.dtype == np.float32
    assert np.allclose(scaled, [-1, -0.6, 1], rtol=0, atol=1e-7)


def test_draws_are_uniform_over_all_shifts_and_both_flips():
    n = 7000
    shifts, flips = augmentation.draw(np.random.default_rng(0), n, 3, True)
    counts = np.array([np.bincount(shifts[:, axis] + 3, minlength=7) for axis in (0, 1)])
    assert counts.shape == (2, 7)
    assert np.abs(counts - n / 7).max() < 5 * np.sqrt(n * 6 / 49)  # five standard errors
    assert abs(flips.mean() - 0.5) < 5 * 0.5 / np.sqrt(n)


def test_nothing_is_moved_unless_asked():
    shifts, flips = augmentation.draw(np.random.default_rng(0), 50, 0, False)
    assert not shifts.any()
    assert not flips.any()
    assert shifts.shape == (50, 2)


def test_gathered_images_are_the_scaled_ones():
    images = np.random.default_rng(1).integers(0, 256, (6, 5, 4, 3), np.uint8)
    out = np.full((5, 5, 4, 3), np.float32(7))
    index = np.array([4, 0, 4])
    found = augmentation.gather(images, index, out)
    np.testing.assert_array_equal(found, augmentation.scale(images[index]))
    assert np.shares_memory(found, out)
    assert (out[3:] == 7).all()


def test_inputs_that_are_scaled_already_are_gathered_as_they_are():
    inputs = np.random.default_rng(0).standard_normal((5, 2, 4, 3)).astype(np.float32)
    out = np.zeros((4, 2, 4, 3), np.float32)
    found = augmentation.gather(inputs, np.array([3, 0, 3]), out)
    assert np.array_equal(found, inputs[[3, 0, 3]])
    assert np.shares_memory(found, out)
    assert not out[3].any()
