"""The tables of docs/data.md: every row is tried, and its line mends what is refused."""

import itertools
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from deeptheory.data import DataOptions, Dataset, draw_splits, from_arrays, load, read_files, stored_array
from deeptheory.data.stored_images import StoredImages
from deeptheory.errors import InputError

DOCUMENT = Path(__file__).parents[2] / "docs" / "data.md"
RGB = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
LABELS = np.tile([0, 1, 2], 4)
DEEP = RGB[0, ..., 0].astype(np.uint16) * 257
NAN = np.where(np.arange(12)[:, None, None, None] == 5, np.nan, RGB / 255)
HOT = np.eye(3)[LABELS]


def rows():
    """The cells of all rows of all tables."""
    lines = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0]: row[1:] for row in cells if row[0] != "given"}


ROWS = rows()


def images(*several, labels=LABELS):
    return [(each, labels) for each in several]


def labels(*several):
    return [(RGB, each) for each in several]


ARRAYS = {
    "`(N, H, W, C)`, uint8": images(RGB),
    "`(N, 3, 32, 32)`": images(RGB.transpose(0, 3, 1, 2)),
    "`(N, H, W)`": images(RGB[..., 0]),
    "`(N, 3, 32, 3)` or": images(RGB[:, :3], RGB[:, :, :, [0] * 32]),
    "`(N, 3072)`, one row an image": images(RGB.transpose(0, 3, 1, 2).reshape(12, -1)),
    "`(32, 32, 3, N)`": images(np.moveaxis(RGB, 0, -1)),
    "whole numbers in 0..255 of another": images(RGB.astype(np.int64), RGB > 99),
    "floats in [0, 1]": images(RGB / 255, np.random.default_rng(0).random(RGB.shape)),
    "floats that are whole grey levels": images(RGB.astype(float), RGB / 127.5 - 1),
    "other floats": images(RGB / 99 - 1, RGB.astype(np.uint16) * 257, RGB.astype(int) - 9),
    "whole numbers 0 and 1 alone": images(RGB // 255, RGB / 255**2),
    "NaN or infinite": images(NAN, np.nan_to_num(NAN, nan=np.inf)),
    "a last channel of 2 or 4": images(np.concatenate([RGB, np.full_like(RGB[..., :1], 255)], axis=3)),
    "0..K-1, as whole numbers": labels(
        LABELS, LABELS.astype(np.uint8), LABELS.astype(float), LABELS[:, None]
    ),
    "from 1, or with gaps": labels(LABELS + 1, 7 * LABELS),
    "texts": labels(np.array(["cat", "dog", "frog"])[LABELS], np.array(["1", "2", "10"])[LABELS]),
    "one-hot rows": labels(HOT, HOT.astype(bool)),
    "negative": labels(LABELS - 1),
    "a million and more": labels(LABELS * 10**6),
    "rows that are not one-hot": labels(0.8 * HOT + 0.1),
    "fractions or NaN": labels(LABELS / 2, LABELS + np.nan),
}


def row(beginning):
    (found,) = [key for key in ROWS if key.startswith(beginning)]
    return found


def code(cell):
    """The lines of code of a cell."""
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize(
    ("beginning", "case"), [(name, case) for name, cases in ARRAYS.items() for case in cases]
)
def test_arrays(beginning, case):
    outcome, *mending = ROWS[row(beginning)]
    if not outcome.startswith("refused"):
        dataset = from_arrays(*case)
        assert dataset.n_labels == 3
        assert len(dataset.train_images) == 12
        return
    with pytest.raises(InputError) as refused:
        from_arrays(*case)
    lines = code(mending[0])
    assert lines or mending[0] in str(refused.value)
    for line in lines:
        assert line in str(refused.value)
        names = {"images": case[0], "labels": case[1], "np": np}
        names |= {"black": np.min(case[0]), "white": np.max(case[0])}
        exec(line, names)
        kept = from_arrays(names["images"], names["labels"])
        assert len(kept.train_images) in (11, 12)


def arrays(**given):
    def write(path):
        np.savez(path / "own.npz", **given)
        return path / "own.npz"

    return write


def too_many(name):
    """More images than the memory, in a file of one kind."""

    def write(path):
        many, labels = np.tile(RGB, (40, 1, 1, 1)), np.tile(LABELS, 40)
        if name.endswith(".npz"):
            save = np.savez_compressed if "packed" in name else np.savez
            save(path / name, images=many, labels=labels)
        elif name.endswith(".h5"):
            with h5py.File(path / name, "w") as file:
                file.create_dataset("images", data=many, compression="gzip" if "packed" in name else None)
                file["labels"] = labels
        else:
            (path / name).mkdir()
            np.save(path / name / "images.npy", many)
            np.save(path / name / "labels.npy", labels)
        return path / name

    return write


def beside(path):
    np.savez(path / "own.npz", images=RGB, labels=LABELS)
    return folder()(path)


def folder(*files, **options):
    """A folder of images: (name, image, options of saving)."""

    def write(path):
        for label in "abc":
            save(path / "train" / label / "0.png", Image.fromarray(RGB[0]))
        for name, image, *saving in files:
            save(path / name, image, **(saving[0] if saving else {}))
        return path

    def save(file, image, **saving):
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(file, **saving)

    write.options = options
    return write


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return {"exif": exif}


PICTURE, GREY = Image.fromarray(RGB[1]), Image.fromarray(RGB[1, ..., 0])
SET = {"images": RGB, "labels": LABELS}
TRANSPARENT, OPAQUE = PICTURE.copy(), PICTURE.copy()
TRANSPARENT.putalpha(9)
OPAQUE.putalpha(255)
FILES = {
    "a label with fewer than 2 inputs": [arrays(**SET, x_test=RGB, y_test=LABELS)],
    "`x_train`, `y_train`": [arrays(x_train=RGB, y_train=LABELS, x_test=RGB, y_test=LABELS)],
    "`images`, `labels`": [arrays(**SET)],
    "validation arrays and no": [arrays(**SET, val_images=RGB, val_labels=LABELS)],
    "validation and test": [arrays(**SET, x_val=RGB, y_val=LABELS, x_test=RGB, y_test=LABELS)],
    "two arrays for one part": [arrays(**SET, x=RGB), arrays(pixels=RGB, labels=LABELS)],
    "one name for two": [arrays(**SET, label_names=np.array(["a", "b", "a"]))],
    "a file of arrays in": [beside],
    "training images in 0..255, test": [arrays(**SET, x_test=RGB / 255, y_test=LABELS)],
    "more images than the memory": [too_many(name) for name in ("own", "own.npz", "own.h5")],
    "compressed npz larger": [too_many("packed.npz")],
    "HDF5 in compressed chunks": [too_many("packed.h5")],
    "`val`, `valid` or": [folder((f"{name}/a/0.png", PICTURE)) for name in ("val", "valid", "validation")],
    "`test` and `val`": [folder(("test/a/0.png", PICTURE), ("val/a/0.png", PICTURE))],
    "any other folder with": [folder(("Test/a/0.png", PICTURE))],
    "an image beside the folders": [
        folder(("train/0.png", PICTURE)),
        folder(("train/a/more/0.png", PICTURE)),
    ],
    "images of several sizes": [folder(("train/a/1.png", PICTURE.resize((40, 30))))],
    "`data.resize = 64`": [folder(("train/a/1.png", PICTURE.resize((40, 30))), resize=64)],
    "grey images among": [folder(("train/a/1.png", GREY))],
    "palettes, black and white": [
        folder(("train/a/1.png", image)) for image in (PICTURE.quantize(9), GREY.convert("1"), OPAQUE)
    ],
    "16 bits a pixel": [folder(("train/a/1.png", Image.fromarray(DEEP)))],
    "16 bits of which": [folder(("train/a/1.png", Image.fromarray(DEEP >> 4)))],
    "EXIF orientation": [
        folder(("train/a/1.png", PICTURE, turned(6)), ("train/a/2.jpg", PICTURE, turned(3)))
    ],
    "pixels that are not opaque": [folder(("train/a/1.png", TRANSPARENT))],
    "CMYK, LAB": [
        folder(("train/a/1.tiff", Image.new(mode, (32, 32)))) for mode in ("CMYK", "LAB", "F", "I")
    ],
    "several images in one": [
        folder(("train/a/1.gif", GREY, {"save_all": True, "append_images": [PICTURE]}))
    ],
}
LINES = "text,label\n" + "".join(f"a text {n},{'abc'[n % 3]}\n" for n in range(30))


def tables(**contents):
    """Tables by name and suffix, own_csv, in a folder; one table alone is named itself."""

    def write(path):
        files = [path / name.replace("_", ".") for name in contents]
        for file, content in zip(files, contents.values(), strict=True):
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path if len(files) > 1 else files[0]

    return write


def own(content, **options):
    write = tables(own_csv=content)
    write.options = options
    return write


def texts(path):
    for part, label, number in itertools.product(("train", "test"), "abc", range(6)):
        (place := path / part / label).mkdir(parents=True, exist_ok=True)
        (place / f"{number}.txt").write_text("a text")
    return path


def texts_and_more(path):
    (texts(path) / "train" / "a" / "more").mkdir()
    return path


LONG = LINES.replace("a text", "a " * 40 + "text")
FILES |= {
    "`train/LABEL/FILE.txt` and": [texts],
    "`train.csv` and": [tables(train_csv=LINES, test_csv=LINES)],
    "`own.csv` or": [own(LINES)],
    "words that occur once": [own(LINES, words=4)],
    "more than `data.length`": [own(LONG)],
    "the same with `data.longer": [own(LONG, longer="cut")],
    "a text without a word": [own(LINES + " ,a\n")],
    "a table without a column": [own(LINES.replace("label", "x")), own(LINES.replace("label", "text"))],
    "a row of more or fewer": [own(LINES + "a,b,c\n"), own(LINES + "a\n")],
    "labels that are texts in": [
        tables(own_jsonl='{"text": "a", "label": "a"}\n{"text": "a", "label": 1}'),
    ],
    "bytes that are not UTF-8": [own((LINES + "é,a\n").encode("latin1"))],
    "a NUL, or half": [
        own(LINES + "a\0b,a\n"), tables(own_jsonl='{"text": "\\ud800", "label": 1}'),
    ],
    "a folder in that": [texts_and_more],
    "tables of two test sets": [
        tables(train_csv=LINES, test_csv=LINES, val_csv=LINES), tables(train_csv=LINES, train_jsonl=LINES),
    ],
}  # fmt: skip
TIGHT = ("more images", "compressed npz", "HDF5 in")  # with little memory


@pytest.mark.parametrize(
    ("beginning", "write"), [(name, case) for name, cases in FILES.items() for case in cases]
)
def test_files_and_folders(tmp_path, monkeypatch, beginning, write):
    outcome, *mending = ROWS[row(beginning)]
    options = DataOptions(source="files", path=str(write(tmp_path)), **getattr(write, "options", {}))
    if tight := beginning.startswith(TIGHT):
        monkeypatch.setattr("deeptheory.system.memory.free_memory", lambda: 1_000_000)
    if not outcome.startswith("refused"):
        dataset = load(options, quiet=True)
        assert isinstance(dataset, Dataset)
        assert isinstance(dataset.train_images, StoredImages) == tight
        return
    with pytest.raises(InputError) as refused:
        draw_splits(load(options, quiet=True), 0.1, 0.2, np.random.default_rng(0))
    lines = code(mending[0])
    assert lines or mending[0] in str(refused.value)
    for line in lines:
        assert line in str(refused.value)
        if line.startswith("f = "):
            monkeypatch.chdir(tmp_path)
            exec(line, {"np": np})
            read_files(tmp_path / "own.npz")
        if "image" in line and "save(file)" in line:
            (file,) = set((tmp_path / "train" / "a").iterdir()) - {tmp_path / "train" / "a" / "0.png"}
            with Image.open(file) as image:
                names = {"image": image, "Image": Image, "file": file, "np": np}
                exec(line, names)
                names["image"].close()
            read_files(tmp_path, quiet=True)


def test_every_row_is_tried():
    tried = {row(beginning) for beginning in (*ARRAYS, *FILES)}
    assert tried == set(ROWS)
    assert stored_array.COPIES == 4  # as the document says
