"""Folders of images: train/LABEL/FILE and, if there is a test set, test/LABEL/FILE."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from deeptheory.data.dataset import Dataset, Images, Labels
from deeptheory.errors import InputError
from deeptheory.system import threadpools
from deeptheory.system.progress import Progress

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
CHANNELS = {"L": 1, "RGB": 3}
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
        An image is damaged, or has another size or mode (grey or RGB); a test label is not in train; or there
        are no images.
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
    first = _open(files[0])
    if first.mode not in CHANNELS:
        raise InputError(f"image {files[0]}", "mode L (grey) or RGB", f"mode {first.mode}", "convert it")
    width, height = first.size
    images = np.empty((len(files), height, width, CHANNELS[first.mode]), np.uint8)

    def decode(start: int) -> int:
        chunk = files[start : start + CHUNK]
        for i, file in enumerate(chunk, start):
            image = _open(file)
            if (image.size, image.mode) != (first.size, first.mode):
                raise InputError(
                    f"image {file}",
                    f"{width} x {height} pixels of mode {first.mode}, as {files[0]}",
                    f"{image.width} x {image.height} pixels of mode {image.mode}",
                    "bring all images to one size and mode",
                )
            images[i] = np.asarray(image).reshape(images.shape[1:])
        return len(chunk)

    with (
        ThreadPoolExecutor(threadpools.threads()) as pool,
        Progress("read images", len(files), "image", quiet) as progress,
    ):
        for count in pool.map(decode, range(0, len(files), CHUNK)):
            progress.advance(progress.done + count)
    return images


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as failure:
        found = f"{path.stat().st_size} bytes that do not decode ({failure})"
        raise InputError(f"image {path}", "a complete image file", found) from failure
