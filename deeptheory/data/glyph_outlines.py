"""The outlines of characters in the DejaVu faces that come with matplotlib, before any warp."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont

from deeptheory.errors import InputError
from deeptheory.system.progress import Progress

FACES = tuple(
    f"DejaVu{family}{style}"
    for family, styles in {
        "Sans": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "Serif": ("", "-Bold", "-Italic", "-BoldItalic"),
        "SansMono": ("", "-Bold", "-Oblique", "-BoldOblique"),
    }.items()
    for style in styles
)
OUTLINE = 64  # pixels along the side of an outline
BOX = 52  # pixels along the longer side of the character inside it
FONT_SIZE = 72  # pixels per em: a capital is then about as large as BOX


def face_path(name: str) -> Path:
    """Path of the TrueType file of a face.

    Raises
    ------
    InputError
        Matplotlib's copy of the font is missing.
    """
    import matplotlib

    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")
    if not path.is_file():
        raise InputError(
            f"font {name}", f"the file {path}", "no such file", "install matplotlib with its bundled fonts"
        )
    return path


class Face:
    """One face of the font."""

    def __init__(self, name: str) -> None:
        self.font = ImageFont.truetype(str(face_path(name)), FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)

    def picture(self, character: str) -> Image.Image:
        """The character's grey picture, cropped to its ink."""
        mask = self.font.getmask(character, mode="L")
        picture = Image.frombytes("L", mask.size, bytes(mask))
        return picture.crop(picture.getbbox())

    def outline(self, character: str) -> NDArray[np.uint8]:
        """The character scaled to the box, centred, as `(OUTLINE, OUTLINE)` uint8 coverage."""
        picture = self.picture(character)
        scale = BOX / max(picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        canvas = Image.new("L", (OUTLINE, OUTLINE))
        canvas.paste(
            picture.resize((width, height), Image.Resampling.BILINEAR),
            ((OUTLINE - width) // 2, (OUTLINE - height) // 2),
        )
        return np.asarray(canvas)


def outlines(characters: str, quiet: bool = False) -> NDArray[np.uint8]:
    """Coverage of every character in every face.

    Returns
    -------
    ndarray of uint8 `(len(characters), len(FACES), OUTLINE, OUTLINE)`
        255 inside the character, 0 outside.
    """
    drawn = np.zeros((len(characters), len(FACES), OUTLINE, OUTLINE), np.uint8)
    with Progress("draw outlines", len(FACES), "face", quiet) as progress:
        for f, name in enumerate(FACES):
            face = Face(name)
            for i, character in enumerate(characters):
                drawn[i, f] = face.outline(character)
            progress.advance(f + 1)
    return drawn
