import base64
import io
import re

import msgspec
import numpy as np
import pytest
from PIL import Image

from deeptheory.data import Dataset, from_ids
from deeptheory.reports.html.label_images import _picture, labels_section

pytestmark = pytest.mark.usefixtures("one_thread")


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))


def dataset(n_labels, shape, per_label=5):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n_labels * per_label, *shape), np.uint8)
    labels = np.tile(np.arange(n_labels), per_label)
    names = tuple(map(str, range(n_labels)))
    return Dataset("test", images, labels, images[:0], labels[:0], names)


def test_the_images_are_the_first_of_their_label(run):
    html, style = labels_section([run])
    found = pixels(re.search(r"base64,([^)]*)", style)[1])
    assert found.shape == (5 * 16, 4 * 16)
    data = run.dataset
    for label in range(5):
        first = data.train_images[np.flatnonzero(data.train_labels == label)[:4], :, :, 0]
        np.testing.assert_array_equal(found[16 * label : 16 * (label + 1)], np.hstack(first))
    assert html.count("<li ") == 5
    assert f'aria-label="4 images of label {data.label_names[2]}"' in html


@pytest.mark.parametrize(
    ("n_labels", "shape", "count"), [(10, (32, 32, 3), 4), (100, (32, 32, 3), 1), (300, (16, 16, 1), 2)]
)
def test_there_are_as_many_as_fit(n_labels, shape, count):
    picture, found = _picture(dataset(n_labels, shape))
    assert found == count
    assert pixels(picture).shape[:2] == (n_labels * shape[0], count * shape[0])


def test_large_images_are_made_smaller_and_missing_ones_are_black():
    few = dataset(3, (64, 48, 3), per_label=1)
    picture, count = _picture(few)
    assert pixels(picture).shape == (96, 128, 3)
    assert count == 4
    assert not pixels(picture)[:, 32:].any()


def test_data_that_cannot_be_read_are_named(run):
    options = msgspec.structs.replace(run.config.data, source="files", path="absent")
    run.config = msgspec.structs.replace(run.config, data=options)
    html, style = labels_section([run])
    assert style == ""
    assert "No images of the labels are shown, because the data could not be read: " in html
    assert "absent" in html


def test_texts_are_shown_in_words(run, monkeypatch):
    ids = np.array([[2, 3, 0], [3, 0, 0], [2, 2, 2], [1, 3, 2], [3, 3, 3]])
    words = ("<padding>", "<unknown>", "red", "blue")
    texts = from_ids(ids, np.arange(5), words=words, label_names=run.dataset.label_names)
    monkeypatch.setitem(vars(run), "dataset", texts)
    html, style = labels_section([run])
    assert style == ""
    assert f"<b>{texts.label_names[3]}</b> &lt;unknown&gt; blue red</li>" in html
