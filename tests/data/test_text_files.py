"""Files of texts: the sets and words that are read of them, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from deeptheory.data import encode, read_files, with_held_out
from deeptheory.data.texts import as_text
from deeptheory.data.vocabulary import Reading, cut_into_words, vocabulary_of
from deeptheory.errors import InputError

GOOD, BAD = "A good, good film.", "A bad film; bad!"
ROWS = [(GOOD, "pos"), (BAD, "neg"), ("Good film", "pos"), ("Bad", "neg")]


def write_csv(path, rows, header="text,label"):
    path.write_text(
        "\n".join([header, *(f'"{text}",{label}' for text, label in rows)]) + "\n", encoding="utf-8"
    )
    return path


def write_json(path, rows):
    lines = (json.dumps({"text": text, "label": label}) for text, label in rows)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_folder(path, **sets):
    for part, rows in sets.items():
        for number, (text, label) in enumerate(rows):
            place = path / part / label
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.txt").write_text(text, encoding="utf-8")
    return path


def test_words():
    assert cut_into_words("It's a GOOD film.\nÉté 2") == [
        "it",
        "'",
        "s",
        "a",
        "good",
        "film",
        ".",
        "été",
        "2",
    ]
    texts = [["b", "a", "once"], ["a", "b", "b", "c"], ["c"]]
    assert vocabulary_of(texts, 10) == ("<padding>", "<unknown>", "b", "a", "c")
    assert vocabulary_of(texts, 4) == ("<padding>", "<unknown>", "b", "a")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "folder"])
def test_training_and_test_texts(tmp_path, kind):
    tested = [("Good unheard film", "pos"), ("bad", "neg")]
    if kind == "folder":
        write_folder(tmp_path, train=ROWS, test=tested)
    else:
        write = write_csv if kind == "csv" else write_json
        for part, rows in (("train", ROWS), ("test", tested)):
            write(tmp_path / f"{part}.{kind}", rows)
    dataset = read_files(tmp_path, reading=Reading(length=8))
    assert dataset.label_names == ("neg", "pos")
    assert dataset.words == ("<padding>", "<unknown>", "bad", "film", "good", "a")  # of training texts alone
    texts = [as_text(ids, dataset.words) for ids in dataset.train_images]
    assert sorted(texts) == ["a bad film <unknown> bad <unknown>", "a good <unknown> good film <unknown>", "bad",
                             "good film"]  # fmt: skip
    assert sorted(as_text(ids, dataset.words) for ids in dataset.test_images) == [
        "bad",
        "good <unknown> film",
    ]
    if kind != "folder":  # whose texts are in the order of their labels
        assert dataset.train_labels.tolist() == [1, 0, 1, 0]


def test_without_test_texts_a_share_is_put_aside_before_words_are_counted(tmp_path):
    rows = [(f"same own{number} own{number}", "ab"[number % 2]) for number in range(20)]
    dataset = read_files(write_csv(tmp_path / "own.csv", rows), reading=Reading(seed=1))
    assert (len(dataset.train_labels), len(dataset.test_labels)) == (16, 4)
    assert np.bincount(dataset.test_labels).tolist() == [2, 2]
    assert len(dataset.words) == 2 + 1 + 16
    assert {as_text(ids, dataset.words) for ids in dataset.test_images} == {"same <unknown> <unknown>"}
    again, other = (read_files(tmp_path / "own.csv", reading=Reading(seed=seed)) for seed in (1, 2))
    assert dataset.fingerprint == again.fingerprint != other.fingerprint


def test_further_texts_have_the_ids_of_the_training_texts(tmp_path):
    dataset = read_files(write_csv(tmp_path / "own.csv", 2 * ROWS), reading=Reading(length=8))
    held_out = write_csv(tmp_path / "more.csv", [("film film new new", "pos"), ("bad new", "neg")])
    with_more = with_held_out(dataset, str(held_out))
    found = {as_text(ids, dataset.words) for ids in with_more.held_out_images}
    assert found == {"film film <unknown> <unknown>", "bad <unknown>"}
    assert np.array_equal(
        encode(["Bad new"], dataset.words, 8)[0, :, 0, 0][:3], [dataset.words.index("bad"), 1, 0]
    )
    with pytest.raises(InputError, match=r"text 1: expected at least one word, found an empty text"):
        encode(["bad", "  "], dataset.words, 8)


def test_longer_texts_are_refused_or_cut(tmp_path):
    path = write_csv(tmp_path / "own.csv", 2 * ROWS)
    with pytest.raises(InputError) as error:
        read_files(path, reading=Reading(length=4))
    assert "expected at most 4 words, as data.length says, found" in str(error.value)
    assert "up to 6 words; set data.length=6, or data.longer=cut to keep the first 4 words" in str(
        error.value
    )
    assert read_files(path, reading=Reading(length=4, longer="cut")).input_shape == (4, 1, 1)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.csv", "words,label\nx,y\n", "columns of {}: expected text and label, each once, found words, label;"),
        ("a.csv", "", "columns of {}: expected text and label, each once, found none"),
        ("a.csv", "text,label\na b\n", "line 2 of {}: expected 2 fields, as in the header, found fewer;"),
        ("a.csv", "text,label\na,b,c\n", "line 2 of {}: expected 2 fields, as in the header, found more"),
        ("a.csv", "text,label\n,b\n", "line 2 of {}: expected at least one word, found an empty text"),
        ("a.csv", 'text,label\n"a,b\n', "row after line 1 of {}: expected one of CSV, found unexpected"),
        ("a.csv", "text,label\n", "texts of {}: expected at least one training text, found none"),
        ("a.csv", b"text,label\n\xe9,b\n", "text file {}: expected text in UTF-8, found invalid"),
        ("a.jsonl", "{'a'", "line 1 of {}: expected an object of JSON, found "),
        ("a.jsonl", "[1]", "line 1 of {}: expected an object of JSON, found a list"),
        ("a.jsonl", '{"text": "a"}', "columns of line 1 of {}: expected text and label, each once, found text;"),
        ("a.jsonl", '{"text": 5, "label": 1}', "text of line 1 of {}: expected a text, found 5"),
        ("a.csv", b"text,label\na\0b,c\n", "line 2 of {}: expected text without NUL, found 'a\\x00b'; take"),
        ("a.jsonl", '{"text": "\\ud800", "label": 1}', "line 1 of {}: expected text in UTF-8, found '\\ud800'"),
        ("a.jsonl", '{"text": "a", "label": "\\u0000"}', "label of line 1 of {}: expected text without NUL"),
        ("a.jsonl", '{"text": "a", "label": 0.5}', "label of line 1 of {}: expected a text or a whole"),
        (
            "a.jsonl",
            '{"text": "a", "label": 1}\n{"text": "b", "label": "one"}',
            "label of line 2 of {0}: expected labels of one type, as 1 in line 1 of {0}, found 'one'; write all",
        ),
    ],
)  # fmt: skip
def test_damaged_tables(tmp_path, name, content, text):
    path: Path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as error:
        read_files(path)
    assert str(error.value).startswith(text.format(path))


def test_sets_that_would_be_passed_over(tmp_path):
    for part in ("train", "test", "val"):
        write_csv(tmp_path / f"{part}.csv", ROWS)
    with pytest.raises(
        InputError, match=r"tables of .*: expected train and one of test, val.*found test.csv, train"
    ):
        read_files(tmp_path)
    folder = write_folder(tmp_path / "folder", train=ROWS, test=[("good", "new")])
    with pytest.raises(InputError, match=r"folder .*new: expected a label that train has too, found 'new'"):
        read_files(folder)
    (inner := folder / "train" / "good" / "more").mkdir(parents=True)
    with pytest.raises(
        InputError, match=r"good: expected files, found a folder 'more', which would be passed"
    ):
        read_files(folder)
    inner.rmdir()
    inner.parent.rmdir()
    (folder / "train" / "stray.txt").write_text("x")
    with pytest.raises(
        InputError, match=r"text .*stray.txt: expected train/LABEL/FILE, found no label; move it"
    ):
        read_files(folder)
