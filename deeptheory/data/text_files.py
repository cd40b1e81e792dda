"""Files of texts: train/LABEL/FILE.txt, or tables with the columns text and label, as CSV or JSON lines."""

import csv
import io
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from deeptheory.data.dataset import Dataset, require_text
from deeptheory.data.files import SMALLER, read_bytes
from deeptheory.data.folder import TEST_SETS, entries, test_sets
from deeptheory.data.image_files import SUFFIXES as IMAGES
from deeptheory.data.label_numbers import number_labels
from deeptheory.data.texts import as_ids, numbers_of
from deeptheory.data.vocabulary import Reading, cut_into_words, require_lengths, vocabulary_of
from deeptheory.errors import InputError
from deeptheory.system.memory import require_memory

TEXT = ".txt"
TABLES = (".csv", ".jsonl")
COLUMNS = ("text", "label")
COPIES = 20  # bytes of a text while it is cut into words, for each of its own


class Texts(NamedTuple):
    """Texts of one set: what they are called in errors, cut into words, and their labels."""

    names: list[str]
    words: list[list[str]]
    labels: list[Any]


def is_folder(path: Path) -> bool:
    """Whether the folders in train hold texts, and no images."""
    found = False
    for label in entries(path / "train"):
        for file in label.iterdir() if label.is_dir() else ():
            if file.suffix.lower() in IMAGES:
                return False
            found |= file.suffix.lower() == TEXT
    return found


def is_tables(path: Path) -> bool:
    """Whether the directory has a table named train."""
    return any((path / f"train{suffix}").is_file() for suffix in TABLES)


def read(path: Path, quiet: bool = False, reading: Reading | None = None) -> Dataset:
    """Read texts from a table, or from a directory of tables or of folders.

    The test set is test, or, where there is none, val, valid or validation; where there is none of these, a share
    of the texts of every label is put aside. The vocabulary is that of the training texts alone.

    Parameters
    ----------
    path : Path
    quiet : bool
        There is no progress to show.
    reading : Reading, optional
        How texts become ids.

    Raises
    ------
    InputError
        A file that is damaged or no UTF-8, rows without a text or a label, labels of several types, empty texts,
        texts that are too long, or sets that would be passed over.
    """
    del quiet
    reading = reading or Reading()
    train, test = _sets(path)
    if not train.words:
        raise InputError(f"texts of {path}", "at least one training text", "none")
    if not test.words and not reading.vocabulary:
        train, test = _put_aside(train, reading)
    for part in (train, test):
        require_lengths(part.words, part.names, reading.length, reading.longer)
    words = reading.vocabulary or vocabulary_of(train.words, reading.words)
    numbers = numbers_of(words)
    numbered = number_labels(path.name, train.labels, test.labels)
    return Dataset(
        path.name,
        as_ids(train.words, numbers, reading.length),
        numbered.train,
        as_ids(test.words, numbers, reading.length),
        numbered.test,
        numbered.names,
        numbered.numbers,
        words=words,
    )


def _sets(path: Path) -> tuple[Texts, Texts]:
    """Training and test texts; the latter are empty if there are none."""
    if path.is_file():
        return _table(path), Texts([], [], [])
    if is_tables(path):
        files = {file.stem: file for file in entries(path) if file.suffix.lower() in TABLES}
        several = [file.name for file in entries(path) if file.suffix.lower() in TABLES]
        tests = [name for name in files if name in TEST_SETS]
        if len(several) > len(files) or len(tests) > 1 or len(files) > 1 + len(tests):
            expected = f"train and one of {', '.join(TEST_SETS)}, each once"
            do = "move away what would be passed over"
            raise InputError(f"tables of {path}", expected, ", ".join(several), do)
        return _table(files["train"]), _table(files[tests[0]]) if tests else Texts([], [], [])
    labels = tuple(entry.name for entry in entries(path / "train") if entry.is_dir())
    tests = test_sets(path, labels)
    return _folder(path / "train", labels), _folder(path / tests[0], labels) if tests else Texts([], [], [])


def _folder(path: Path, label_names: tuple[str, ...]) -> Texts:
    found = Texts([], [], [])
    for folder in entries(path):
        if not folder.is_dir():
            if folder.suffix.lower() == TEXT:
                do = f"move it to its label: mv {shlex.quote(str(folder))} {shlex.quote(str(path))}/LABEL"
                raise InputError(f"text {folder}", f"{path.name}/LABEL/FILE", "no label", do)
            continue
        if folder.name not in label_names:
            raise InputError(f"folder {folder}", "a label that train has too", f"'{folder.name}'")
        for file in entries(folder):
            if file.is_dir():
                do = f"move its texts up: mv {shlex.quote(str(file))}/* {shlex.quote(str(folder))}"
                raise InputError(
                    f"folder {folder}", "files", f"a folder '{file.name}', which would be passed over", do
                )
            if file.suffix.lower() == TEXT:
                _add(found, f"text {file}", _content(file), folder.name)
    require_memory(f"texts below {path}", COPIES * sum(map(len, found.words)), SMALLER)
    return found


def _table(path: Path) -> Texts:
    found = Texts([], [], [])
    rows = _csv_rows if path.suffix.lower() == ".csv" else _json_rows
    first: tuple[str, Any] | None = None
    for name, text, label in rows(path):
        if not isinstance(text, str):
            raise InputError(f"{COLUMNS[0]} of {name}", "a text", f"{text!r}")
        if isinstance(label, bool) or not isinstance(label, str | int):
            raise InputError(f"{COLUMNS[1]} of {name}", "a text or a whole number", f"{label!r}")
        first = first or (name, label)
        if isinstance(label, str) != isinstance(first[1], str):
            expected = f"labels of one type, as {first[1]!r} in {first[0]}"
            do = "write all labels as texts, or all as numbers"
            raise InputError(f"{COLUMNS[1]} of {name}", expected, f"{label!r}", do)
        _add(found, name, text, label)
    return found


def _csv_rows(path: Path) -> Iterator[tuple[str, Any, Any]]:
    reader = csv.DictReader(io.StringIO(_content(path), newline=""), strict=True)
    try:
        _require_columns(path, list(reader.fieldnames or ()))
        for row in reader:
            name = f"line {reader.line_num} of {path}"
            if None in row or None in row.values():
                found = "more" if None in row else "fewer"
                do = "put texts with commas in double quotes"
                raise InputError(name, f"{len(reader.fieldnames or ())} fields, as in the header", found, do)
            yield name, row[COLUMNS[0]], row[COLUMNS[1]]
    except csv.Error as error:
        raise InputError(f"row after line {reader.line_num} of {path}", "one of CSV", f"{error}") from error


def _json_rows(path: Path) -> Iterator[tuple[str, Any, Any]]:
    for number, line in enumerate(_content(path).split("\n"), 1):
        name = f"line {number} of {path}"
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            do = "write one object a line"
            raise InputError(name, "an object of JSON", f"{error}", do) from error
        if not isinstance(row, dict):
            raise InputError(name, "an object of JSON", f"a {type(row).__name__}")
        _require_columns(name, list(row))
        yield name, row[COLUMNS[0]], row[COLUMNS[1]]


def _require_columns(what: Path | str, names: list[str]) -> None:
    if missing := [column for column in COLUMNS if names.count(column) != 1]:
        expected = f"{' and '.join(COLUMNS)}, each once"
        found, do = ", ".join(names) or "none", f"name the columns in the first line: {','.join(COLUMNS)}"
        if isinstance(what, str):
            do = f"name them '{missing[0]}'"
        raise InputError(f"columns of {what}", expected, found, do)


def _content(path: Path) -> str:
    try:
        return read_bytes(path, "text file", COPIES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        do = f"iconv -f LATIN1 -t UTF-8 {shlex.quote(path.name)}"
        raise InputError(
            f"text file {path}", "text in UTF-8", f"{error.reason}, byte {error.start}", do
        ) from error


def _add(texts: Texts, name: str, text: str, label: Any) -> None:
    require_text(name, text)
    if isinstance(label, str):
        require_text(f"label of {name}", label)
    texts.names.append(name)
    texts.words.append(cut_into_words(text))
    texts.labels.append(label)


def _put_aside(texts: Texts, reading: Reading) -> tuple[Texts, Texts]:
    """Training texts and the share of every label that is tested on."""
    rng, labels = np.random.default_rng(reading.seed), np.array(texts.labels)
    tested = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == label))
        tested[own[: max(1, round(reading.test_share * len(own)))]] = True

    def chosen(which: Any) -> Texts:
        return Texts(*([each for each, kept in zip(part, which, strict=True) if kept] for part in texts))

    return chosen(~tested), chosen(tested)
