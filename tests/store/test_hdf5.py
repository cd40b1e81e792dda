import h5py
import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.store import hdf5

TREE = {
    "text": "Ångström\nτ",
    "empty text": "",
    "names": ["stage1", "é"],
    "flag": True,
    "count": 3,
    "share": 0.1,
    "missing": float("nan"),
    "nothing": {},
    "inner": {
        "mask": np.arange(600).reshape(2, 300) % 3 == 0,
        "weights": np.linspace(-1, 1, 1000, dtype=np.float32).reshape(10, 100),
        "index": np.arange(5),
        "empty": np.empty((0, 4), np.float32),
        "deeper": {"one": np.array([1.5])},
    },
}


def write(path, tree):
    with hdf5.replacing(path) as file:
        hdf5.write_tree(file, tree)


def read(path):
    with hdf5.open_for_reading(path) as file:
        return hdf5.OpenFile(file).read_tree("/")


def test_a_tree_reads_back_as_it_was_written(tmp_path):
    write(tmp_path / "run.h5", TREE)
    found = read(tmp_path / "run.h5")
    assert found.keys() == TREE.keys()
    for name in ("text", "empty text", "names", "flag", "count", "share"):
        assert found[name] == TREE[name]
        assert type(found[name]) is type(TREE[name])
    assert found["nothing"] == {}
    assert np.isnan(found["missing"])
    for name in ("mask", "weights", "index", "empty"):
        assert found["inner"][name].dtype == TREE["inner"][name].dtype
        np.testing.assert_array_equal(found["inner"][name], TREE["inner"][name], strict=True)
    np.testing.assert_array_equal(found["inner"]["deeper"]["one"], [1.5])


def test_no_string_reads_back_as_no_string(tmp_path):
    write(tmp_path / "run.h5", {"warnings": []})
    assert read(tmp_path / "run.h5")["warnings"] == []


def test_masks_are_compressed_and_weights_are_not(tmp_path):
    write(tmp_path / "run.h5", TREE)
    with h5py.File(tmp_path / "run.h5") as file:
        assert file["inner/mask"].compression == "gzip"
        assert file["inner/weights"].compression is None


def test_a_block_that_succeeds_replaces_the_file(tmp_path):
    path = tmp_path / "run.h5"
    write(path, {"first": 1})
    write(path, {"second": 2})
    assert read(path) == {"first": 1, "second": 2}
    assert read(tmp_path / "run.previous.h5") == {"first": 1}
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "run.h5"
    write(path, {"first": 1})
    before = path.read_bytes()

    def interrupted():
        with hdf5.replacing(path) as file:
            file["second"] = 2
            raise failure

    with pytest.raises(failure):
        interrupted()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_text_is_replaced(tmp_path):
    with hdf5.replacing(tmp_path / "run.h5") as file:
        hdf5.replace_text(file, "status", "begun")
        hdf5.replace_text(file, "status", "complete")
    assert read(tmp_path / "run.h5") == {"status": "complete"}


@pytest.mark.parametrize("value", ["a\0", ["b", "a\0c"]])
def test_a_text_that_would_end_within_is_refused(tmp_path, value):
    with (
        h5py.File(tmp_path / "a.h5", "w") as file,
        pytest.raises(InputError, match=r"^text 'a': .*without NUL"),
    ):
        hdf5.write_tree(file, {"a": value})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"^run: expected a directory with run.h5, found no file .*run.h5$"):
        hdf5.open_for_reading(tmp_path / "run.h5")


@pytest.mark.parametrize("kept", [0, 100, 2000])
def test_a_damaged_file_is_named(tmp_path, kept):
    path = tmp_path / "run.h5"
    write(path, TREE)
    path.write_bytes(path.read_bytes()[:kept])
    expected = "run.h5: expected a readable HDF5 file, found .*; restore it or start anew$"
    with pytest.raises(InputError, match=expected):
        hdf5.open_for_reading(path)
