"""Folders of images: train/LABEL/FILE and, if there is a test set, test/LABEL/FILE."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image

from deeptheory.data.dataset import Dataset, Images, Labels
from deeptheory.data.files import SMALLER
from deeptheory.errors import InputError
from deeptheory.system import threadpools
from deeptheory.system.memory import require_memory
from deeptheory.system.progress import Progress

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # others start programs, or are plug-ins
CHANNELS = {"L": 1, "RGB": 3}
MOST_PIXELS = 1 << 24  # of one image
CHUNK = 100  # files that one task of the pool decodes; a task for a single file takes longer than decoding it


def is_folder(path: Path) -> bool:
    """Whether the directory has a folder named train."""
    return (path / "train").is_dir()


def read_folder(path: Path, quiet: bool = False) -> Dataset:
    """Read every image file, in sorted order; labels are the sorted names of the folders in train.

    Files without the suffix of an image are skipped. All images must have the size and mode of the first.

    Raises
    ------
    InputError
        An image is damaged, is none of `FORMATS` or no regular file, or has another size or mode (grey or RGB);
        a test label is not in train; there are no images; or they exceed the free memory.
    """
    label_names = tuple(entry.name for entry in _entries(path / "train") if entry.is_dir())
    splits = [_files(path / split, label_names) for split in ("train", "test")]
    files = [file for split_files, _ in splits for file in split_files]
    if not splits[0][0]:
        raise InputError(
            f"folder {path / 'train'}", f"LABEL/FILE with suffix {', '.join(SUFFIXES)}", "no image"
        )
    images = _decode(files, quiet)
    n_train = len(splits[0][0])
    return Dataset(path.name, images[:n_train], splits[0][1], images[n_train:], splits[1][1], label_names)


def _entries(path: Path) -> list[Path]:
    return (
        sorted(entry for entry in path.iterdir() if not entry.name.startswith(".")) if path.is_dir() else []
    )


def _files(path: Path, label_names: tuple[str, ...]) -> tuple[list[Path], Labels]:
    files: list[Path] = []
    counts = np.zeros(len(label_names), np.int64)
    for folder in _entries(path):
        if not folder.is_dir():
            continue
        if folder.name not in label_names:
            raise InputError(f"folder {folder}", "a label that train has too", f"'{folder.name}'")
        images = [file for file in _entries(folder) if file.suffix.lower() in SUFFIXES]
        counts[label_names.index(folder.name)] = len(images)
        files += images
    return files, np.repeat(np.arange(len(label_names)), counts)


def _decode(files: Sequence[Path], quiet: bool) -> Images:
    kind = _read(files[0], _kind_of)
    shape = (len(files), kind.height, kind.width, CHANNELS[kind.mode])
    require_memory(f"{len(files)} images below {files[0].parents[2]}", math.prod(shape), SMALLER)
    images = np.empty(shape, np.uint8)

    def pixels(file: Path, image: Image.Image) -> Image.Image:
        if (found := Kind(*image.size, image.mode)) != kind:
            do = "bring all images to one size and mode"
            raise InputError(f"image {file}", f"{kind}, as {files[0]}", f"{found}", do)
        image.load()
        return image

    def decode(start: int) -> int:
        chunk = files[start : start + CHUNK]
        for i, file in enumerate(chunk, start):
            image = _read(file, pixels)
            images[i] = np.asarray(image).reshape(images.shape[1:])
        return len(chunk)

    with (
        ThreadPoolExecutor(threadpools.threads()) as pool,
        Progress("read images", len(files), "image", quiet) as progress,
    ):
        for count in pool.map(decode, range(0, len(files), CHUNK)):
            progress.advance(progress.done + count)
    return images


class Kind(NamedTuple):
    """Size and mode of an image, as the beginning of its file says them."""

    width: int
    height: int
    mode: str

    def __str__(self) -> str:
        return f"{self.width} x {self.height} pixels of mode {self.mode}"


def _kind_of(path: Path, image: Image.Image) -> Kind:
    if image.mode not in CHANNELS:
        raise InputError(f"image {path}", "mode L (grey) or RGB", f"mode {image.mode}", "convert it")
    kind = Kind(*image.size, image.mode)
    if kind.width * kind.height > MOST_PIXELS:
        raise InputError(f"image {path}", f"at most {MOST_PIXELS} pixels", f"{kind}", "scale the images down")
    return kind


T = TypeVar("T")


def _read(path: Path, get: Callable[[Path, Image.Image], T]) -> T:
    """What `get` makes of an opened image, of which only the beginning has been read."""
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
