"""Image files of every kind: read where their pixels have one meaning, otherwise refused."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from deeptheory.data import DataOptions, load, read_files
from deeptheory.errors import InputError

RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
GREY = RGB[..., 0]
DEEP = GREY.astype(np.uint16) * 257
DEEP[0, 0] = 65535


def folder(path, **images):
    """A folder of one label, in the order of the names; a name ends with its format."""
    for name, image in images.items():
        file = path / "train" / "a" / name.replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        image, options = image if isinstance(image, tuple) else (image, {})
        image.save(file, **options)
    return path


def palette_image():
    image = Image.new("P", (6, 4))
    image.putpalette(RGB.reshape(-1).tolist())
    image.putdata(range(24))
    return image


def with_alpha(image, opacity=255):
    image.putalpha(opacity)
    return image


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return {"exif": exif}


UPRIGHT = Image.fromarray(RGB)


@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        ("0_png", Image.fromarray(GREY), GREY[..., None]),
        ("0_png", Image.fromarray(GREY > 99), 255 * (GREY > 99)[..., None]),
        ("0_png", UPRIGHT, RGB),
        ("0_png", palette_image(), RGB),
        ("0_gif", palette_image(), RGB),
        ("0_png", with_alpha(Image.fromarray(RGB)), RGB),
        ("0_png", with_alpha(Image.fromarray(GREY)), GREY[..., None]),
        ("0_png", Image.fromarray(DEEP), np.rint(DEEP / 257)[..., None]),
        ("0_tiff", Image.fromarray(DEEP), np.rint(DEEP / 257)[..., None]),
        ("0_png", (UPRIGHT.transpose(Image.Transpose.ROTATE_90), turned(6)), RGB),
        ("0_png", (UPRIGHT.transpose(Image.Transpose.ROTATE_180), turned(3)), RGB),
        ("0_tiff", (ImageOps.mirror(UPRIGHT), turned(2)), RGB),
        ("0_webp", (UPRIGHT.transpose(Image.Transpose.ROTATE_270), {"lossless": True, **turned(8)}), RGB),
    ],
    ids=[
        *("grey", "black-and-white", "colour", "palette", "palette-gif", "opaque", "opaque-grey", "16-bit"),
        *("16-bit-tiff", "turned", "upside-down", "mirrored-tiff", "turned-webp"),
    ],
)
def test_pixels_with_one_meaning_are_read(tmp_path, name, image, expected):
    assert np.array_equal(read_files(folder(tmp_path, **{name: image})).train_images, [expected])


def test_a_photograph_is_turned_as_its_camera_says(tmp_path):
    image = Image.new("RGB", (6, 4), "white")
    image.paste("black", (3, 0, 6, 4))
    read = read_files(folder(tmp_path, a_jpg=(image, turned(6)), b_png=Image.new("RGB", (4, 6)))).train_images
    assert read.shape == (2, 6, 4, 3)
    assert (read[0, :3] > 200).all()  # its left side is up
    assert (read[0, 3:] < 50).all()


def test_grey_images_among_coloured_ones_get_three_equal_channels(tmp_path):
    images = {"a_png": Image.fromarray(GREY), "b_png": UPRIGHT, "c_png": Image.fromarray(GREY)}
    read = read_files(folder(tmp_path, **images)).train_images
    assert np.array_equal(read[1], RGB)
    assert np.array_equal(read[0], GREY[..., None].repeat(3, axis=2))
    assert np.array_equal(read[0], read[2])


@pytest.mark.parametrize(
    ("name", "image", "words"),
    [
        (
            "0_png",
            with_alpha(Image.fromarray(RGB), 128),
            ["all opaque", "opacity 128 of 255", "alpha_composite("],
        ),
        ("0_png", (palette_image(), {"transparency": 3}), ["all opaque", "opacity 0 of 255"]),
        ("0_png", (UPRIGHT, {"transparency": tuple(RGB[2, 2].tolist())}), ["all opaque"]),
        ("0_jpg", Image.new("CMYK", (6, 4)), ["found mode CMYK", 'convert("RGB"); image.save(file)']),
        ("0_tiff", Image.new("F", (6, 4)), ["found mode F"]),
        ("0_tiff", Image.new("I", (6, 4)), ["found mode I;"]),
        ("0_tiff", Image.new("LAB", (6, 4)), ["found mode LAB"]),
        (
            "0_gif",
            (palette_image(), {"save_all": True, "append_images": [ImageOps.mirror(UPRIGHT)]}),
            ["one image", "several"],
        ),
        ("0_tiff", (UPRIGHT, {"save_all": True, "append_images": [UPRIGHT]}), ["several", "image.seek(0)"]),
        (
            "0_png",
            Image.fromarray(DEEP >> 4),
            ["images of 16 bits below", "values up to 65535", "up to 4095", "np.uint16(16)"],
        ),
    ],
    ids=[
        "alpha",
        "palette-alpha",
        "colour-key",
        "cmyk",
        "floats",
        "32-bit",
        "lab",
        "frames",
        "pages",
        "12-bit",
    ],
)
def test_pixels_that_could_mean_something_else_are_refused(tmp_path, name, image, words):
    folder(tmp_path, **{name: image})
    with pytest.raises(InputError) as refused:
        read_files(tmp_path)
    for word in words:
        assert word in str(refused.value)


def test_what_is_said_of_transparent_and_shallow_images_mends_them(tmp_path):
    image = Image.fromarray(RGB)
    image.putalpha(Image.fromarray(255 * (GREY > 99).astype(np.uint8)))
    file = folder(tmp_path, a_png=image) / "train" / "a" / "a.png"
    image = Image.open(file).convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    image.save(file)
    assert np.array_equal(read_files(tmp_path).train_images[0], np.where(GREY[..., None] > 99, RGB, 255))
    Image.fromarray(DEEP >> 4).save(file)
    Image.fromarray(np.asarray(Image.open(file)) * np.uint16(16)).save(file)
    assert np.array_equal(read_files(tmp_path).train_images[0, ..., 0], np.rint((DEEP >> 4) * 16 / 257))


def test_images_of_mixed_sizes_are_scaled_and_cut(tmp_path):
    wide = Image.new("RGB", (60, 20), "red")
    wide.paste("white", (20, 0, 40, 20))
    folder(tmp_path, a_png=wide, b_png=Image.new("L", (8, 9), 7), c_png=(Image.new("L", (9, 30)), turned(6)))
    with pytest.raises(
        InputError, match=r"expected 60 x 20 pixels, as .*, found 8 x 9 pixels; .*data\.resize"
    ):
        read_files(tmp_path)
    options = DataOptions(source="files", path=str(tmp_path), resize=10)
    read = load(options, quiet=True).train_images
    assert read.shape == (3, 10, 10, 3)
    assert (read[0, :, 1:-1] == 255).all()  # the middle third
    assert (read[1] == 7).all()


@pytest.mark.parametrize("suffix", [".npz", ""])
def test_only_folders_of_images_are_resized(tmp_path, suffix):
    if suffix:
        np.savez(tmp_path / "a.npz", images=RGB[None], labels=[0])
    else:
        np.save(tmp_path / "images.npy", RGB[None])
    options = DataOptions(source="files", path=str(tmp_path / f"a{suffix}" if suffix else tmp_path), resize=4)
    with pytest.raises(InputError, match=r"data\.resize: expected 0 for .*, found 4; set data\.resize=0"):
        load(options)
    with pytest.raises(InputError, match=r"data\.resize: expected 0 for glyphs, found 4"):
        load(DataOptions(resize=4))
