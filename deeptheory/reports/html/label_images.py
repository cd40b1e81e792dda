"""A few images of every label, in one picture; of texts the first one, in words."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeptheory.data import Dataset
from deeptheory.data.stored_images import in_memory
from deeptheory.data.texts import as_text
from deeptheory.errors import InputError
from deeptheory.reports.html import elements
from deeptheory.runs import Run
from deeptheory.store import paths

SIDE = 32  # pixels of an image; larger ones are made smaller
MOST_BYTES = 200_000  # of the pixels of one picture
MOST_OF_LABEL = 4


def labels_section(runs: Sequence[Run]) -> tuple[str, str]:
    """Names of the labels with images, from the data of the run with most labels, and the style that shows them.

    Where the data cannot be read it says why. Of every label the first training images, as many as 200 kB of
    pixels allow, from 1 to 4.
    """
    names_of = [run.read_names(paths.join("train", paths.LABEL_NAMES)) for run in runs]
    run, names = max(zip(runs, names_of, strict=True), key=lambda pair: len(pair[1]))
    try:
        if run.dataset.words:
            return _texts_section(run.dataset, names), ""
        picture, count = _picture(run.dataset)
    except InputError as error:
        why = elements.paragraph(
            f"No images of the labels are shown, because the data could not be read: {error}"
        )
        return elements.section("labels", "Labels", [why]), ""
    entries = [
        f'<li data-name="{escape(name)}"><span class="label-image" style="--row: {row}" role="img" '
        f'aria-label="{count} images of label {escape(name)}"></span> {escape(name)}</li>'
        for row, name in enumerate(names)
    ]
    image = f"url(data:image/png;base64,{picture})"
    style = f":root {{ --labels: {image}; --of-label: {count}; --rows: {len(names)}; }}"
    which = f"The first {'' if count == 1 else f'{count} '}training image{'s' * (count > 1)} of every label."
    listed = f'<ul class="labels">{"".join(entries)}</ul>'
    return elements.section("labels", "Labels", [elements.details(which, [listed], len(names) <= 100)]), style


def _texts_section(dataset: Dataset, names: Sequence[str]) -> str:
    """The first training text of every label."""
    firsts = (np.flatnonzero(dataset.train_labels == label)[:1] for label in range(dataset.n_labels))
    texts = (as_text(in_memory(dataset.train_images[first]), dataset.words) for first in firsts)
    entries = (
        f'<li data-name="{escape(name)}"><b>{escape(name)}</b> {escape(text)}</li>'
        for name, text in zip(names, texts, strict=True)
    )
    listed = f"<ul>{''.join(entries)}</ul>"
    which = "The first training text of every label."
    return elements.section("labels", "Labels", [elements.details(which, [listed], len(names) <= 100)])


def _picture(dataset: Dataset) -> tuple[str, int]:
    """A PNG in base64, one row for every label, and the number of images in a row."""
    side = min(SIDE, max(dataset.input_shape[:2]))
    channels = 1 if dataset.input_shape[2] == 1 else 3
    room = MOST_BYTES // (dataset.n_labels * side * side * channels)
    count = max(1, min(MOST_OF_LABEL, room))
    rows = []
    for label in range(dataset.n_labels):
        chosen = in_memory(dataset.train_images[np.flatnonzero(dataset.train_labels == label)[:count]])
        tiles = [_tile(image, side) for image in chosen]
        tiles += [np.zeros_like(tiles[0])] * (count - len(tiles)) if tiles else []
        rows.append(np.hstack(tiles) if tiles else np.zeros((side, count * side, 3), np.uint8))
    whole = Image.fromarray(np.vstack(rows))
    written = io.BytesIO()
    (whole.convert("L") if channels == 1 else whole).save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode("ascii"), count


def _tile(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """An image as RGB with this side."""
    coloured = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[:, :, :3]
    whole = Image.fromarray(coloured)
    return np.asarray(
        whole if whole.size == (side, side) else whole.resize((side, side), Image.Resampling.BOX)
    )
