"""One image file as a picture of 8 bits, grey or RGB, as far as its pixels have one meaning."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from deeptheory.errors import InputError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # others start programs, or are plug-ins
SEVERAL = ("GIF", "PNG", "TIFF", "WEBP")  # formats that may hold several images that are not one
MOST_SIDE = 1 << 12  # of a square image
MOST_PIXELS = MOST_SIDE**2  # of one image
GREY, COLOUR = "L", "RGB"
PLAIN = {"1": GREY, "L": GREY, "LA": GREY, "La": GREY, "P": COLOUR, "PA": COLOUR}
PLAIN |= dict.fromkeys(("RGB", "RGBA", "RGBa"), COLOUR)
DEEP = ("I;16", "I;16B", "I;16L", "I;16N")  # grey levels of 16 bits
DEEP_LEVELS = 257  # of 16 bits for one of 8
SHALLOW = 1 << 14  # of 16 bits; below it the images hold fewer bits, and would be nearly black
SAVED = "image.save(file)"
ON_WHITE = (
    'paint the background: image = image.convert("RGBA"); image = Image.alpha_composite('
    f'Image.new("RGBA", image.size, "white"), image).convert("RGB"); {SAVED}'
)

T = TypeVar("T")


def read_image(path: Path, get: Callable[[Path, Image.Image], T]) -> T:
    """What `get` makes of an opened image, of which only the beginning has been read.

    Raises
    ------
    InputError
        No regular file, none of `FORMATS`, or bytes that do not decode; and those of `get`.
    """
    if not path.is_file():
        found = "a directory, a device, or a pipe that may never end"
        raise InputError(f"image {path}", "a file", found, "take it out of the folder")
    try:
        with Image.open(path, formats=FORMATS) as image:
            return get(path, image)
    except InputError:
        raise
    except Exception as failure:  # damaged bytes can make the decoders raise anything
        found = f"{path.stat().st_size} bytes that do not decode ({failure})"
        expected = f"a complete image file, in {', '.join(FORMATS)}"
        raise InputError(f"image {path}", expected, found, "take it out of the folder") from failure


def require_one_meaning(path: Path, image: Image.Image) -> None:
    """Refuse, before decoding, what has too many pixels, several images, or colours of no fixed meaning.

    Raises
    ------
    InputError
        As said; inks (CMYK), floats and whole numbers of 32 bits have no fixed meaning.
    """
    if image.width * image.height > MOST_PIXELS:
        found, do = f"{image.width} x {image.height}", "scale the images down"
        raise InputError(f"image {path}", f"at most {MOST_PIXELS} pixels", found, do)
    if image.mode not in PLAIN and not _is_deep(image):
        expected = "grey, colours, a palette or 16 bits"
        do = f'convert it: image = Image.open(file).convert("RGB"); {SAVED}'
        raise InputError(f"image {path}", expected, f"mode {image.mode}", do)
    if image.format in SEVERAL and getattr(image, "is_animated", False):
        do = f"take the one that is meant: image = Image.open(file); image.seek(0); {SAVED}"
        raise InputError(f"image {path}", "one image", "several in one file", do)


def picture(path: Path, image: Image.Image, deepest: list[int]) -> Image.Image:
    """The upright image of mode L or RGB; the largest value of one of 16 bits is added to `deepest`.

    It is turned as its EXIF orientation says. 16 bits become 8 by division by 257.

    Raises
    ------
    InputError
        A pixel is not opaque.
    """
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    if _is_deep(image):
        levels = np.asarray(image)
        deepest.append(int(levels.max()))
        return Image.fromarray(np.rint(levels / DEEP_LEVELS).astype(np.uint8))
    if image.has_transparency_data:
        opacity = image.convert("RGBA").getchannel("A").getextrema()[0]
        if opacity != 255:
            found = f"pixels of opacity {opacity} of 255"
            raise InputError(f"image {path}", "pixels that are all opaque", found, ON_WHITE)
    mode = PLAIN[image.mode]
    return image if image.mode == mode else image.convert(mode)


def require_depth(where: Path, deepest: list[int]) -> None:
    """Refuse images of 16 bits whose values are all of fewer.

    Raises
    ------
    InputError
        The largest of all is below a quarter of 65535.
    """
    if deepest and 0 < max(deepest) < SHALLOW:
        scale = 65535 // ((1 << max(deepest).bit_length()) - 1)
        raise InputError(
            f"images of 16 bits below {where}",
            "values up to 65535, which is white",
            f"up to {max(deepest)}",
            f"scale them: image = Image.fromarray(np.asarray(Image.open(file)) * np.uint16({scale})); {SAVED}",
        )


def _is_deep(image: Image.Image) -> bool:
    return image.mode in DEEP or (image.mode == "I" and image.format in ("PNG", "PPM"))
