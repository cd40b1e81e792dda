import numpy as np
import pytest
from msgspec import ValidationError, convert

from deeptheory.data import DataOptions, glyph_outlines, glyphs, load, render, warping
from deeptheory.errors import InputError


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPTHEORY_CACHE", str(tmp_path))
    return tmp_path


def test_render_gives_balanced_labels_that_follow_in_turn(cache):
    dataset = render(5, 16, 3, 2, 0, quiet=True)
    assert dataset.train_images.shape == (15, 16, 16, 1)
    assert dataset.test_images.shape == (10, 16, 16, 1)
    assert dataset.label_names == ("0", "1", "2", "3", "4")
    assert np.array_equal(dataset.train_labels, np.tile(np.arange(5), 3))


def test_the_seed_fixes_every_pixel_and_the_streams_are_independent(cache):
    first = glyphs._render(3, 16, 4, 4, 7, True)
    again = glyphs._render(3, 16, 4, 4, 7, True)
    longer = glyphs._render(3, 16, 6, 4, 7, True)
    other = glyphs._render(3, 16, 4, 4, 8, True)
    assert np.array_equal(first.train_images, again.train_images)
    assert np.array_equal(first.test_images, longer.test_images)  # no matter how much is drawn for training
    assert not np.array_equal(first.train_images, first.test_images)
    assert not np.array_equal(first.train_images, other.train_images)


def test_chunks_follow_on_from_one_another(cache, monkeypatch):
    monkeypatch.setattr(glyphs, "CHUNK", 4)
    images = glyphs._render(3, 16, 3, 1, 0, True).train_images
    assert len(np.unique(images.reshape(9, -1), axis=0)) == 9
    assert images.std(axis=(1, 2, 3)).min() > 5  # no image was left unrendered


def test_a_second_call_reads_the_cached_file(cache, monkeypatch):
    first = render(3, 16, 2, 1, 0, quiet=True)
    monkeypatch.setattr(glyphs, "_render", None)  # any attempt to render again fails
    again = render(3, 16, 2, 1, 0, quiet=True)
    assert again.name == first.name == "glyphs"
    assert np.array_equal(first.train_images, again.train_images)
    assert again.label_names == first.label_names
    assert [path.suffix for path in (cache / "glyphs").iterdir()] == [".h5"]  # no temporary file stays


def test_a_damaged_cached_file_is_rendered_again_with_a_warning(cache):
    first = render(3, 16, 2, 1, 0, quiet=True)
    (file,) = (cache / "glyphs").iterdir()
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.warns(UserWarning, match="rendering the glyphs again, their cached file is damaged"):
        again = render(3, 16, 2, 1, 0, quiet=True)
    assert np.array_equal(first.train_images, again.train_images)


def test_a_cache_that_cannot_be_written_is_reported(cache):
    (cache / "glyphs").write_text("a file where the directory should be")
    with pytest.warns(UserWarning, match="the glyphs are not cached .*; set DEEPTHEORY_CACHE to a directory"):
        assert len(render(3, 16, 1, 1, 0, quiet=True).train_images) == 3


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1106, 16, 1, 1, 0), "n_labels: expected 3 to 1105, the number of glyphs available, found 1106"),
        ((2, 16, 1, 1, 0), "n_labels: expected 3 to 1105, the number of glyphs available, found 2"),
        ((3, 28, 1, 1, 0), "size: expected 16 or 32 pixels, found 28"),
        ((3, 16, 0, 1, 0), "train_per_label: expected at least 1, found 0"),
        ((3, 16, 1, 0, 0), "test_per_label: expected at least 1, found 0"),
        ((3, 16, 1, 1, -1), "seed: expected at least 0, found -1"),
    ],
)
def test_arguments_out_of_range_are_refused(cache, arguments, text):
    with pytest.raises(InputError, match=text):
        render(*arguments)


def test_load_renders_what_the_options_say(cache):
    options = convert({"n_labels": 4, "size": 16, "train_per_label": 2, "test_per_label": 1}, DataOptions)
    dataset = load(options, quiet=True)
    assert (dataset.n_labels, dataset.input_shape, len(dataset.train_images)) == (4, (16, 16, 1), 8)


@pytest.mark.parametrize("bad", [{"n_labels": 2}, {"size": 24}, {"measure_share": 0.0}, {"sizes": 16}])
def test_options_refuse_what_is_out_of_range_or_unknown(bad):
    with pytest.raises(ValidationError, match=next(iter(bad))):
        convert(bad, DataOptions)


def test_outlines_fill_the_box_and_nothing_else():
    drawn = glyph_outlines.outlines("A-Z", quiet=True)
    margin = (glyph_outlines.OUTLINE - glyph_outlines.BOX) // 2
    assert drawn.shape == (3, len(glyph_outlines.FACES), glyph_outlines.OUTLINE, glyph_outlines.OUTLINE)
    ink = drawn > 0
    rows, columns = ink.any(axis=3), ink.any(axis=2)
    longer_side = np.maximum(rows.sum(axis=-1), columns.sum(axis=-1))
    assert (longer_side == glyph_outlines.BOX).all()
    assert not ink[:, :, :margin].any()
    assert not ink[..., :margin].any()


def flat_warp(size, **changes):
    """One image, upright, in its place, on black, without noise."""
    parts = {
        "face": np.zeros(1, np.int64),
        "inverse": np.eye(2, dtype=np.float32)[None],
        "shift": np.zeros((1, 2), np.float32),
        "background": np.zeros((1, warping.GRID, warping.GRID), np.float32),
        "contrast": np.full(1, 255, np.float32),
        "noise": np.zeros((1, size, size), np.float32),
    }
    return warping.Warp(**(parts | changes))


@pytest.mark.parametrize("size", [16, 32])
def test_without_a_warp_an_image_is_the_averaged_outline(size):
    drawn = glyph_outlines.outlines("R", quiet=True)
    image = warping.warp_images(drawn, np.zeros(1, np.int64), flat_warp(size))[0]
    block = glyph_outlines.OUTLINE // size
    averaged = drawn[0, 0].reshape(size, block, size, block).mean(axis=(1, 3))
    assert np.abs(image - averaged).max() <= 0.51  # rounding to whole grey levels


def test_the_warp_moves_and_turns_the_character():
    drawn = np.zeros((1, 1, 64, 64), np.uint8)
    drawn[0, 0, 16:32, 24:40] = 255  # above the centre
    labels = np.zeros(1, np.int64)

    def centre(**changes):
        image = warping.warp_images(drawn, labels, flat_warp(32, **changes))[0].astype(float)
        places = np.indices(image.shape) + 0.5
        return (places * image).sum(axis=(1, 2)) / image.sum()

    assert np.allclose(centre(), [12, 16], atol=0.05)
    down_right = np.array([[0.125, 0.25]], np.float32)  # shares of the side: 4 and 8 pixels
    assert np.allclose(centre(shift=down_right), [16, 24], atol=0.05)
    quarter_turn = np.array([[[0, 1], [-1, 0]]], np.float32)
    assert np.allclose(centre(inverse=quarter_turn), [16, 12], atol=0.05)
    half_as_large = 2 * np.eye(2, dtype=np.float32)[None]
    assert np.allclose(centre(inverse=half_as_large), [14, 16], atol=0.05)


def test_background_contrast_and_noise_add_up_and_are_clipped():
    drawn = np.full((1, 1, 64, 64), 255, np.uint8)
    noise = np.zeros((1, 16, 16), np.float32)
    noise[0, 8, 8], noise[0, 8, 9] = 500, -500
    settings = flat_warp(
        16,
        background=np.full((1, warping.GRID, warping.GRID), 200, np.float32),
        contrast=np.full(1, -60, np.float32),
        noise=noise,
    )
    image = warping.warp_images(drawn, np.zeros(1, np.int64), settings)[0]
    assert image[4, 4] == 140
    assert image[8, 8] == 255
    assert image[8, 9] == 0


def test_the_plain_kernel_agrees_with_the_compiled_one():
    drawn = glyph_outlines.outlines("ab", quiet=True)
    draws = warping.draw_warp(np.random.default_rng(0), 2, 16, len(glyph_outlines.FACES))
    parts = [getattr(draws, name) for name in ("face", "inverse", "shift", "background", "contrast", "noise")]
    labels = np.array([0, 1])
    compiled = warping.warp_images(drawn, labels, draws).astype(int)
    kernel = getattr(warping._warp, "py_func", warping._warp)
    plain = kernel(drawn, labels, *parts).astype(int)
    assert np.abs(compiled - plain).max() <= 1  # float32 against float64 intermediate sums


def test_draws_cover_their_ranges_and_both_signs():
    draws = warping.draw_warp(np.random.default_rng(0), 4000, 16, 12)
    forward = np.linalg.inv(draws.inverse.astype(float))
    scale_product = np.linalg.det(forward)
    assert warping.SCALE[0] ** 2 - 1e-4 < scale_product.min() < 0.6
    assert 1.15 < scale_product.max() < warping.SCALE[1] ** 2 + 1e-4
    assert abs((draws.contrast > 0).mean() - 0.5) < 5 * 0.5 / np.sqrt(4000)
    assert np.abs(draws.contrast).min() >= warping.CONTRAST[0]
    assert np.array_equal(np.unique(draws.face), np.arange(12))
    spread = draws.noise.std(axis=(1, 2)) * warping.NOISE_SIZE / 16
    assert abs(spread.mean() - np.mean(warping.NOISE)) < 0.5


def test_a_missing_font_is_named():
    with pytest.raises(
        InputError, match=r"font DejaVuNothing: expected the file .*DejaVuNothing\.ttf, found no such"
    ):
        glyph_outlines.face_path("DejaVuNothing")
