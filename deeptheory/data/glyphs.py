"""Glyphs, the built-in data set: characters of the DejaVu faces under random warps, rendered from a seed."""

import hashlib
import os
import warnings
from pathlib import Path

import numpy as np

from deeptheory.data.archive import pack, read_archive
from deeptheory.data.characters import CHARACTERS
from deeptheory.data.dataset import Dataset, Images, Labels
from deeptheory.errors import InputError
from deeptheory.system.kernel_cache import cache_directory
from deeptheory.system.memory import require_memory
from deeptheory.system.progress import Progress

SOURCES = (
    "characters.py",
    "glyphs.py",
    "glyph_outlines.py",
    "warping.py",
)  # the code that determines the pixels
SIZES = (16, 32)
CHUNK = 4096  # images rendered at a time; it limits the memory of the noise
LABEL_BYTES = 8


def render(
    n_labels: int, size: int, train_per_label: int, test_per_label: int, seed: int, quiet: bool = False
) -> Dataset:
    """Render glyphs, or read them from the user's cache directory.

    Labels are the first `n_labels` of `deeptheory.data.characters.CHARACTERS`. Every image is an independent
    draw of face, rotation, scale along either axis, shear, shift, contrast of either sign, smooth background
    and noise (ranges in `deeptheory.data.warping`). Training and test images come from two streams of the same
    seed and have the same distribution. Labels are in cyclic order: 0, 1, ..., K-1, 0, 1, ...

    Parameters
    ----------
    n_labels : int
        Number of labels K, from 3.
    size : int
        Side of an image in pixels, 16 or 32.
    train_per_label, test_per_label : int
        Images of every label.
    seed : int
        Seed of the rendering.
    quiet : bool
        Show no progress.

    Returns
    -------
    Dataset
        Images `(K * per_label, size, size, 1)`, determined by the arguments.

    Raises
    ------
    InputError
        An argument is out of range (the number of distinguishable characters is limited), or the images exceed
        the free memory.
    """
    _check(n_labels, size, train_per_label, test_per_label, seed)
    path = _cached_file(n_labels, size, train_per_label, test_per_label, seed)
    if os.path.isfile(path):  # False as well in a home directory that cannot be entered
        try:
            return read_archive(path, name="glyphs")
        except InputError as damage:
            warnings.warn(f"rendering the glyphs again, their cached file is damaged: {damage}", stacklevel=2)
    dataset = _render(n_labels, size, train_per_label, test_per_label, seed, quiet)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pack(dataset, path)
    except (OSError, InputError) as failure:
        warnings.warn(
            f"the glyphs are not cached ({failure}); set DEEPTHEORY_CACHE to a directory you can write to",
            stacklevel=2,
        )
    return dataset


def _cached_file(n_labels: int, size: int, train_per_label: int, test_per_label: int, seed: int) -> Path:
    """The file that caches these images; its name depends on the code that renders them."""
    digest = hashlib.sha256()
    for source in SOURCES:
        digest.update(Path(__file__).with_name(source).read_bytes())
    arguments = f"k{n_labels}-s{size}-train{train_per_label}-test{test_per_label}-seed{seed}"
    return cache_directory() / "glyphs" / f"{arguments}-{digest.hexdigest()[:12]}.h5"


def _check(n_labels: int, size: int, train_per_label: int, test_per_label: int, seed: int) -> None:
    if not 3 <= n_labels <= len(CHARACTERS):
        raise InputError(
            "n_labels",
            f"3 to {len(CHARACTERS)}, the number of glyphs available",
            f"{n_labels}",
            "ask for fewer labels",
        )
    if size not in SIZES:
        raise InputError("size", "16 or 32 pixels", f"{size}")
    for name, value, least in (
        ("train_per_label", train_per_label, 1),
        ("test_per_label", test_per_label, 1),
        ("seed", seed, 0),
    ):
        if value < least:
            raise InputError(name, f"at least {least}", f"{value}")
    n_images = n_labels * (train_per_label + test_per_label)
    do = "ask for fewer or smaller images"
    require_memory(f"{n_images} glyphs", n_images * (size**2 + LABEL_BYTES), do)


def _render(
    n_labels: int, size: int, train_per_label: int, test_per_label: int, seed: int, quiet: bool
) -> Dataset:
    from deeptheory.data.glyph_outlines import FACES, outlines
    from deeptheory.data.warping import draw_warp, warp_images

    names = CHARACTERS[:n_labels]
    drawn = outlines(names, quiet)
    train_stream, test_stream = np.random.SeedSequence(seed).spawn(2)
    with Progress("render glyphs", n_labels * (train_per_label + test_per_label), "image", quiet) as progress:

        def render_split(stream: np.random.SeedSequence, per_label: int) -> tuple[Images, Labels]:
            rng = np.random.default_rng(stream)
            labels = np.tile(np.arange(n_labels), per_label)
            images = np.empty((len(labels), size, size, 1), np.uint8)
            for start in range(0, len(labels), CHUNK):
                chunk = labels[start : start + CHUNK]
                warp = draw_warp(rng, len(chunk), size, len(FACES))
                images[start : start + CHUNK, :, :, 0] = warp_images(drawn, chunk, warp)
                progress.advance(progress.done + len(chunk))
            return images, labels

        train = render_split(train_stream, train_per_label)
        test = render_split(test_stream, test_per_label)
    return Dataset("glyphs", *train, *test, tuple(names))
