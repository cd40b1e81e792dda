"""Data that cannot be used end with exit code 2 and a clear message."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeptheory import data
from deeptheory.cli.options import read_configuration
from deeptheory.runs.configuration import read_config, to_toml

pytestmark = pytest.mark.usefixtures("one_thread")


def train_on(deeptheory, config, path):
    return deeptheory("train", config, "--data", path, "--out", config.parent / "run", "--quiet")


def labelled(n_labels=3, per_label=6, size=16):
    labels = np.repeat(np.arange(n_labels), per_label)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), size, size, 1), dtype=np.uint8)
    return images, labels


def test_missing_data_are_refused_with_the_layouts_looked_for(deeptheory, assert_refused, config, tmp_path):
    result = train_on(deeptheory, config, tmp_path / "none")
    assert_refused(
        result, f"data path {tmp_path / 'none'}", "CIFAR-10 binary", "found no such file or directory"
    )
    result = deeptheory("train", config, "--out", tmp_path / "run", "--set", "data.source=files")
    assert_refused(result, "data.path: expected the file or directory of the data set, found nothing")


def test_another_data_set_than_the_study_is_for_is_refused_before_anything_is_made(
    deeptheory, assert_refused, config, tmp_path
):
    images, labels = labelled()
    data.pack(data.Dataset("few", images, labels, images, labels, ("a", "b", "c")), tmp_path / "few.npz")
    study = ("confirm", config, "--data", tmp_path / "few.npz", "--out", tmp_path / "study", "--set")
    assert_refused(deeptheory(*study, "data.file_labels=100"), "few.npz: expected 100 labels, found 3; name")
    assert_refused(
        deeptheory(*study, "data.labels_used=4"), "data.labels_used: expected 0 for all, or 2 to 3"
    )
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_a_truncated_archive_is_refused_and_kept(deeptheory, assert_refused, config, tmp_path, suffix):
    images, labels = labelled()
    path = tmp_path / f"data{suffix}"
    data.pack(data.Dataset("few", images, labels, images, labels, ("a", "b", "c")), path)
    path.write_bytes(path.read_bytes()[:1000])
    assert_refused(train_on(deeptheory, config, path), f"data file {path}", "1000 bytes that cannot be read")
    assert path.stat().st_size == 1000


def test_a_cifar_file_of_the_wrong_size_is_refused(deeptheory, assert_refused, config, tmp_path):
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        (tmp_path / f"{name}.bin").write_bytes(bytes(3073 * 2 - (name == "data_batch_3")))
    result = train_on(deeptheory, config, tmp_path)
    assert_refused(result, "data_batch_3.bin: expected a whole number of records", "6146", "found 6145 bytes")
    (tmp_path / "data_batch_4.bin").unlink()
    assert_refused(train_on(deeptheory, config, tmp_path), "data_batch_4.bin", "found no such file")


def test_an_image_of_another_size_is_refused(deeptheory, assert_refused, config, tmp_path):
    for label in ("a", "b", "c"):
        directory = tmp_path / "images" / "train" / label
        directory.mkdir(parents=True)
        for i in range(4):
            Image.new("L", (16, 16)).save(directory / f"{i}.png")
    Image.new("L", (15, 16)).save(tmp_path / "images" / "train" / "b" / "3.png")
    result = train_on(deeptheory, config, tmp_path / "images")
    assert_refused(result, str(Path("train", "b", "3.png")), "15 x 16", "data.resize")


def test_a_label_outside_the_range_is_refused(deeptheory, assert_refused, config, tmp_path):
    images, labels = labelled()
    labels[7] = 5
    names = np.array(["a", "b", "c"])
    np.savez(tmp_path / "data.npz", train_images=images, train_labels=labels, label_names=names)
    assert_refused(
        train_on(deeptheory, config, tmp_path / "data.npz"), "expected labels in 0..2, found label 5"
    )


def test_a_label_without_an_input_in_a_split_is_refused(deeptheory, assert_refused, config, tmp_path):
    images, labels = labelled()
    keep = np.flatnonzero((labels != 1) | (np.arange(len(labels)) == 6))
    np.savez(tmp_path / "data.npz", train_images=images[keep], train_labels=labels[keep])
    result = train_on(deeptheory, config, tmp_path / "data.npz")
    assert_refused(result, "at least 2 inputs of every label, found 0 of label 1")


@pytest.mark.parametrize("name", ["d\N{GRINNING FACE}.npz", "d\x7f.npz", 'd"\n\x1b[31m.npz'])
def test_data_of_any_name_in_unicode_are_found_again(config, tmp_path, name):
    images, labels = labelled()
    np.savez(tmp_path / name, train_images=images, train_labels=labels)
    read = read_configuration(config, tmp_path / name, ())
    again = tmp_path / "again.toml"
    again.write_text(to_toml(read), encoding="utf-8")
    assert read_config(again) == read
    assert read.data.path == str(tmp_path / name)
    data.load(read.data)


def test_a_path_that_is_no_text_is_refused(deeptheory, assert_refused, config, tmp_path):
    result = train_on(deeptheory, config, tmp_path / "d\udcff.npz")
    assert_refused(result, "argument: expected text in UTF-8, found '", "udcff.npz'; rename the file")


def test_more_glyphs_than_the_memory_are_refused(deeptheory, assert_refused, config, tmp_path):
    many = ("--set", "data.train_per_label=1000000000000")
    result = deeptheory("train", config, "--out", tmp_path / "run", *many)
    assert_refused(
        result, " glyphs: expected at most 80 % of the free memory", "ask for fewer or smaller images"
    )


def test_more_seeds_than_any_study_has_are_refused(deeptheory, assert_refused, config, tmp_path):
    result = deeptheory("confirm", config, "--out", tmp_path / "study", "--seeds", 10**9)
    assert_refused(result, "judge.seeds: expected int <= 100000, found 1000000000")
