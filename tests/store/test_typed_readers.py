import pickle

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.store import hdf5

TREE = {
    "text": "τ",
    "names": ["stage1", "stage2"],
    "count": 3,
    "inner": {"weights": np.arange(6.0).reshape(2, 3), "deeper": {"share": 0.5, "flag": True}},
    "groups": {"deeper": {"share": 0.5}},
}
KINDS = {  # an entry of every kind, and the readers that return it
    "text": ("read_text",),
    "names": ("read_names",),
    "count": ("read_number",),
    "inner/weights": ("read_array",),
    "inner/deeper": ("read_tree", "read_numbers"),
}


@pytest.fixture(params=["file", "tree"])
def readers(request, tmp_path):
    """The readers of an open file, and those of all that was read from it."""
    with hdf5.replacing(tmp_path / "run.h5") as file:
        hdf5.write_tree(file, TREE)
    with hdf5.open_for_reading(tmp_path / "run.h5") as file:
        opened = hdf5.OpenFile(file)
        yield opened if request.param == "file" else opened.read_tree("/")


def test_every_reader_returns_its_kind(readers):
    assert readers.read_text("text") == "τ"
    assert readers.read_names("names") == ["stage1", "stage2"]
    assert readers.read_number("count") == 3
    np.testing.assert_array_equal(readers.read_array("inner/weights"), TREE["inner"]["weights"], strict=True)
    assert readers.read_numbers("inner/deeper") == {"share": 0.5, "flag": True}
    assert readers.read_trees("groups")["deeper"].read_number("share") == 0.5


@pytest.mark.parametrize("path", KINDS)
@pytest.mark.parametrize("reader", sorted({reader for readers in KINDS.values() for reader in readers}))
def test_an_entry_of_another_kind_is_refused(readers, path, reader):
    if reader in KINDS[path]:
        getattr(readers, reader)(path)
        return
    with pytest.raises(InputError) as refused:
        getattr(readers, reader)(path)
    assert refused.value.what.startswith(f"'{path}")
    assert refused.value.what.endswith("run.h5")


def test_what_was_found_instead_is_described(readers):
    with pytest.raises(InputError) as refused:
        readers.read_number("inner/weights")
    assert (refused.value.expected, refused.value.found) == ("a number", "an array of shape (2, 3)")


def test_a_missing_entry_is_named(readers):
    with pytest.raises(InputError) as refused:
        readers.read_number("inner/absent")
    assert "inner/absent" in refused.value.what


def test_groups_of_one_kind_refuse_another_in_them(readers):
    for reader, entry in (("read_arrays", "deeper"), ("read_numbers", "weights"), ("read_trees", "weights")):
        with pytest.raises(InputError) as refused:
            getattr(readers, reader)("inner")
        assert f"inner/{entry}" in refused.value.what


def test_a_tree_is_sent_to_another_process_whole(readers):
    tree = readers.read_tree("inner")
    copy = pickle.loads(pickle.dumps(tree))
    assert copy.read_number("deeper/share") == 0.5
    assert copy.location("weights") == tree.location("weights")
