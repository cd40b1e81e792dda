"""The rule that put the glyphs in order, and that the kept order obeys it.

Run as a program it prints the string kept in `deeptheory.data.characters`.
"""

import unicodedata

import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image
from scipy.ndimage import gaussian_filter

from deeptheory.data.characters import CHARACTERS
from deeptheory.data.glyph_outlines import FACES, Face, face_path

SIDE = 24  # pixels of the bitmap stretched to a square
THRESHOLDS = (0.975, 0.985)


def group(code: int) -> int | None:
    """Place of a character's group in the order; None when it is no letter, digit or mathematical symbol."""
    character = chr(code)
    kind = unicodedata.category(character)
    plain = not unicodedata.decomposition(character)
    tests = (
        kind == "Nd" and code < 128,
        kind == "Lu" and code < 128,
        kind == "Ll" and code < 128,
        0x391 <= code <= 0x3A9,  # Greek capitals
        0x3B1 <= code <= 0x3C9,  # Greek small letters
        0x410 <= code <= 0x42F,  # Cyrillic capitals
        0x430 <= code <= 0x44F,  # Cyrillic small letters
        kind == "Sm" and plain and not 0x2100 <= code < 0x2200,  # mathematical symbols
        0x531 <= code <= 0x587 and kind in ("Lu", "Ll"),  # Armenian
        0x10A0 <= code <= 0x10FF and kind in ("Ll", "Lo"),  # Georgian
        0x2190 <= code < 0x2200,  # arrows
        0x250 <= code <= 0x2AF,  # phonetic
        kind in ("Lu", "Ll", "Lo") and plain,
        kind in ("Lu", "Ll", "Lo"),  # letters with diacritics
    )
    return next((place for place, true in enumerate(tests) if true), None)


def candidates() -> str:
    """Every letter, digit, mathematical symbol and arrow that all faces draw, group by group."""
    common = set.intersection(*(set(FT2Font(str(face_path(face))).get_charmap()) for face in FACES))
    ordered = sorted((place, code) for code in common if (place := group(code)) is not None)
    return "".join(chr(code) for _, code in ordered)


def similarity(characters: str) -> np.ndarray:
    """Likeness (n, n) of characters once size and place are taken away: 1 is the same picture.

    Per face: cosine of the blurred bitmaps, each stretched to a square, times a penalty for aspect ratios
    further apart than the random scale reaches; then the mean over the four faces where they are most alike.
    """
    bitmaps = np.zeros((len(FACES), len(characters), SIDE * SIDE), np.float32)
    aspect = np.zeros((len(FACES), len(characters), 1))
    for f, name in enumerate(FACES):
        face = Face(name)
        for i, character in enumerate(characters):
            picture = face.picture(character)
            aspect[f, i] = np.log(picture.width / picture.height)
            square = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
            blurred = gaussian_filter(square, 1.0, mode="constant").ravel()
            bitmaps[f, i] = blurred / np.linalg.norm(blurred)
    cosine = bitmaps @ bitmaps.transpose(0, 2, 1)
    apart = np.maximum(np.abs(aspect - aspect.transpose(0, 2, 1)) - 0.25, 0) / 0.35
    return np.sort(cosine * np.exp(-0.5 * apart**2), axis=0)[-4:].mean(0)


def order(characters: str) -> str:
    """Take each character less like all taken before than the threshold, once for every threshold."""
    alike = similarity(characters)
    taken: list[int] = []
    for threshold in THRESHOLDS:
        for i in range(len(characters)):
            if i not in taken and (not taken or alike[i, taken].max() < threshold):
                taken.append(i)
    return "".join(characters[i] for i in taken)


def test_there_are_a_thousand_glyphs_and_no_label_twice():
    assert len(CHARACTERS) == len(set(CHARACTERS)) == 1105


def test_every_glyph_is_a_candidate_that_all_faces_draw():
    assert set(CHARACTERS) <= set(candidates())


def test_the_first_hundred_labels_are_distinguishable():
    alike = similarity(CHARACTERS[:100])
    np.fill_diagonal(alike, 0)
    # One hundredth above the threshold leaves room for another version of FreeType.
    assert alike.max() < THRESHOLDS[0] + 0.01


def test_the_rule_passes_over_characters_that_differ_in_size_or_script_only():
    assert order("A1ΑАXxcCsS") == "A1Xcs"


def test_the_first_labels_are_a_mixture():
    first = CHARACTERS[:100]
    counts = [sum(group(ord(character)) == place for character in first) for place in range(8)]
    digits, capitals, small, greek_capitals, greek_small, cyrillic_capitals, cyrillic_small, symbols = counts
    assert digits == 10
    assert capitals == 25  # all but O, which is 0
    assert min(small, greek_capitals + greek_small, cyrillic_capitals + cyrillic_small) >= 15
    assert symbols == 1


if __name__ == "__main__":
    text = order(candidates())
    lines = [text[i : i + 80] for i in range(0, len(text), 80)]
    print(len(text), *(f'    "{line}"' for line in lines), sep="\n")  # noqa: T201
