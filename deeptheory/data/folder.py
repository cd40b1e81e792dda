"""Folders of images: train/LABEL/FILE and, if there is a test set, test/LABEL/FILE or val/LABEL/FILE."""

import math
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from deeptheory.data.dataset import Dataset, Labels
from deeptheory.data.image_files import (
    COLOUR,
    GREY,
    MOST_SIDE,
    SUFFIXES,
    picture,
    read_image,
    require_depth,
    require_one_meaning,
)
from deeptheory.errors import InputError
from deeptheory.system import threadpools
from deeptheory.system.memory import require_memory
from deeptheory.system.progress import Progress

TEST_SETS = ("test", "val", "valid", "validation")
CHANNELS = {GREY: 1, COLOUR: 3}
CHUNK = 100  # files that one task of the pool decodes; a task for a single file takes longer than decoding it
FEWER = "set data.resize, or write them as train_images.npy, which may be larger than the memory"


class _Coloured(Exception):
    """A colour image among grey ones."""


def is_folder(path: Path) -> bool:
    """Whether the directory has a folder named train."""
    return (path / "train").is_dir()


def read_folder(path: Path, quiet: bool = False, resize: int = 0) -> Dataset:
    """Read every image file, in sorted order; labels are the sorted names of the folders in train.

    The test set is the folder test, or, where there is none, val, valid or validation. Files without the suffix of
    an image are passed over. Grey images among coloured ones get three equal channels.

    Parameters
    ----------
    path : Path
    quiet : bool
        Show no progress.
    resize : int
        Images are scaled until their shorter side has so many pixels, and cut to the square in the middle
        (bilinear, with anti-aliasing); 0: they must all have the size of the first.

    Raises
    ------
    InputError
        `resize` is larger than any image may be; an image is damaged or no regular file, has another size, or
        pixels that could mean several things (`image_files`); images would be passed over, in a second test set or
        without a label; a test label is not in train; there are no images; or they exceed the free memory.
    """
    if not 0 <= resize <= MOST_SIDE:
        raise InputError("data.resize", f"0 to {MOST_SIDE} pixels", f"{resize}")
    label_names = tuple(entry.name for entry in entries(path / "train") if entry.is_dir())
    tests = test_sets(path, label_names)
    splits = [_files(path / split, label_names) for split in ("train", *tests)]
    files = [file for split_files, _ in splits for file in split_files]
    if not splits[0][0]:
        raise InputError(
            f"folder {path / 'train'}", f"LABEL/FILE with suffix {', '.join(SUFFIXES)}", "no image"
        )
    images = _decode(path, files, resize, quiet)
    n_train, test_labels = len(splits[0][0]), splits[1][1] if tests else np.empty(0, np.int64)
    return Dataset(path.name, images[:n_train], splits[0][1], images[n_train:], test_labels, label_names)


def entries(path: Path) -> list[Path]:
    """What lies in a directory and is not hidden, sorted; nothing where it is none."""
    return (
        sorted(entry for entry in path.iterdir() if not entry.name.startswith(".")) if path.is_dir() else []
    )


def test_sets(path: Path, label_names: tuple[str, ...]) -> list[str]:
    """The name of the folder of the test set, if there is one; refuses folders that would be passed over."""
    folders = [entry.name for entry in entries(path) if entry.is_dir() and entry.name != "train"]
    found = [name for name in folders if name in TEST_SETS]
    others = [name for name in folders if name not in TEST_SETS]
    passed_over = found[1:] + [n for n in others if any((path / n / label).is_dir() for label in label_names)]
    if passed_over:
        raise InputError(
            f"folder {path}",
            f"train and one of {', '.join(TEST_SETS)}",
            ", ".join(["train", *found[:1], *passed_over]),
            f"move away or rename what would be passed over: mv {shlex.quote(str(path / passed_over[0]))} OTHER",
        )
    return found


def _files(path: Path, label_names: tuple[str, ...]) -> tuple[list[Path], Labels]:
    files: list[Path] = []
    counts = np.zeros(len(label_names), np.int64)
    for folder in entries(path):
        if not folder.is_dir():
            if folder.suffix.lower() in SUFFIXES:
                do = f"move it to its label: mv {shlex.quote(str(folder))} {shlex.quote(str(path))}/LABEL"
                raise InputError(f"image {folder}", f"{path.name}/LABEL/FILE", "no label", do)
            continue
        if folder.name not in label_names:
            raise InputError(f"folder {folder}", "a label that train has too", f"'{folder.name}'")
        images = [file for file in entries(folder) if file.suffix.lower() in SUFFIXES]
        if inner := [entry for entry in entries(folder) if entry not in images and entry.is_dir()]:
            found = f"a folder '{inner[0].name}', which would be passed over"
            do = f"move its images up: mv {shlex.quote(str(inner[0]))}/* {shlex.quote(str(folder))}"
            raise InputError(f"folder {folder}", "files", found, do)
        counts[label_names.index(folder.name)] = len(images)
        files += images
    return files, np.repeat(np.arange(len(label_names)), counts)


class _Pictures:
    """What makes pictures of one size of image files."""

    def __init__(self, resize: int) -> None:
        self.resize, self.deepest = resize, list[int]()
        self.first: tuple[Path, tuple[int, int]] | None = None

    def upright(self, path: Path, image: Image.Image) -> Image.Image:
        require_one_meaning(path, image)
        if not self.resize:
            self._require_size(path, image.size, turned=True)
        made = picture(path, image, self.deepest)
        if self.resize:
            return ImageOps.fit(made, (self.resize, self.resize), Image.Resampling.BILINEAR)
        self._require_size(path, made.size)
        return made

    def _require_size(self, path: Path, size: tuple[int, int], turned: bool = False) -> None:
        """Refuse another size than that of the first; where the image may be `turned` yet, either way."""
        if self.first is None:
            return
        file, expected = self.first
        if size != expected and not (turned and size == expected[::-1]):
            pixels = [f"{width} x {height} pixels" for width, height in (expected, size)]
            do = "bring all images to one size, for example by data.resize"
            raise InputError(f"image {path}", f"{pixels[0]}, as {file}", pixels[1], do)


def _decode(path: Path, files: Sequence[Path], resize: int, quiet: bool) -> NDArray[np.uint8]:
    pictures = _Pictures(resize)
    first = read_image(files[0], pictures.upright)
    pictures.first = files[0], first.size
    try:
        images = _decode_as(first.mode, first.size, path, files, pictures, quiet)
    except _Coloured:
        images = _decode_as(COLOUR, first.size, path, files, pictures, quiet)
    require_depth(path, pictures.deepest)
    return images


def _decode_as(
    mode: str,
    size: tuple[int, int],
    path: Path,
    files: Sequence[Path],
    pictures: _Pictures,
    quiet: bool,
) -> NDArray[np.uint8]:
    """All pictures, as grey ones or in colours."""
    width, height = size
    shape = (len(files), height, width, CHANNELS[mode])
    require_memory(f"{len(files)} images below {path}", math.prod(shape), FEWER)
    images = np.empty(shape, np.uint8)

    def decode(start: int) -> int:
        chunk = files[start : start + CHUNK]
        for i, file in enumerate(chunk, start):
            image = read_image(file, pictures.upright)
            if image.mode != mode:
                if mode == GREY:
                    raise _Coloured
                image = image.convert(mode)
            images[i] = np.asarray(image).reshape(images.shape[1:])
        return len(chunk)

    with (
        ThreadPoolExecutor(threadpools.threads()) as pool,
        Progress("read images", len(files), "image", quiet) as progress,
    ):
        try:
            for count in pool.map(decode, range(0, len(files), CHUNK)):
                progress.advance(progress.done + count)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return images
