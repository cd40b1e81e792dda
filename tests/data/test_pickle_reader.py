"""Pickles as Python 2 wrote them are read; those that describe anything but plain arrays are refused."""

import pickle

import numpy as np
import pytest

from deeptheory.data.pickle_reader import read_pickle
from deeptheory.errors import InputError

# {"data": uint8 array (1, 3), "labels": [7]} as Python 2.7 with NumPy 1.8 wrote it.
PYTHON_2 = (
    b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85"
    b"U\x01b\x87Rq\x05(K\x01K\x01K\x03\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNN"
    b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x03\x01\x80\xfftbU\x06labelsq\x08]q\x09K\x07au."
)
DTYPE = b"cnumpy\ndtype\n"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"


@pytest.fixture
def read(tmp_path):
    def write_and_read(content):
        (tmp_path / "train").write_bytes(content)
        return read_pickle(tmp_path / "train")

    return write_and_read


def test_a_pickle_of_python_2_is_read(read):
    found = read(PYTHON_2)
    assert found.keys() == {b"data", b"labels"}
    np.testing.assert_array_equal(found[b"data"], np.array([[1, 128, 255]], np.uint8), strict=True)
    assert found[b"labels"] == [7]


@pytest.mark.parametrize("protocol", [0, 3, 4, 5])
def test_containers_of_every_protocol_are_read(read, protocol):
    content = {
        "a": [1, -3, 2**70, 0.5, None, True],
        "b": (1, (2, 3), (), [[]]),
        "c": {"d": "é"},
        "e": b"x" * 300,
    }
    if protocol == 0:  # in which Python 3 has no bytes
        del content["e"]
    assert read(pickle.dumps(content, protocol)) == content


@pytest.mark.parametrize("dtype", ["u1", "<i8", ">f4", "?"])
def test_arrays_of_both_orders_are_read(read, dtype):
    rows = np.arange(6).reshape(2, 3).astype(dtype)
    found = read(pickle.dumps({"rows": rows, "columns": np.asfortranarray(rows)}, 3))
    for name in ("rows", "columns"):
        np.testing.assert_array_equal(found[name], rows.astype(found[name].dtype), strict=True)


REFUSED = {
    # Both ended the process by a segmentation fault when NumPy was given the state.
    "fields": (
        DTYPE + b"(U\x02V8K\x00K\x01tR(K\x03U\x01|N(U\x01atN}J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb.",
        "expected a pickled dictionary, found a PickledType",
    ),
    "array of fields": (
        ARRAY + b"(K\x01(K\x01t" + DTYPE + b"(U\x02V8K\x00K\x01tR\x89U\x00tb.",
        "a request for numbers of type V8, which was refused",
    ),
    "objects": (
        pickle.dumps({"data": np.array([{}], object)}, 3),
        "a request for numbers of type O8, which was refused",
    ),
    "set": (pickle.dumps({"a": {1}}, 4), "a request for the instruction EMPTY_SET"),
    "key": (pickle.dumps({1: 2}), "a request for a key of type int"),
    "called": (b"cposix\nsystem\n(U\x02lstR.", r"a request for posix\.system, which was refused"),
    "called by name": (b"\x8c\x05posix\x8c\x06system\x93(U\x02lstR.", r"a request for posix\.system, which was"),
    "state": (b"}(U\x01atb.", "a request for the state of a dict"),
    "shape": (ARRAY + b"(K\x01(\x8a\x07" + b"\xff" * 6 + b"\0t" + DTYPE + b"(U\x02u1tR\x89U\0tb.", "a shape"),
    "bytes": (PYTHON_2.replace(b"K\x01K\x03\x86", b"K\x09K\x03\x86"), r"not those of its shape \(9, 3\)"),
    "length": (b"\x8e" + (2**62).to_bytes(8, "little") + b"ab", "cannot be read"),
    "digits": (b"I" + b"9" * 5000 + b"\n.", "cannot be read"),
    "deep": (b"(" * 100_000 + b"t" * 100_000 + b".", "expected a pickled dictionary, found a tuple"),
    "doubling": (b"(K\x00t" + b"2\x86" * 50 + b"c__main__\nx\n\x93.", "a name that is no text"),
    "empty": (b"", "cannot be read"),
    "stack": (b"t.", "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_plain_is_refused(read, name):
    content, words = REFUSED[name]
    with pytest.raises(InputError, match=words):
        read(content)


def test_a_place_far_off_in_the_memo_takes_no_memory(read):
    assert read(b"}\x72\xff\xff\xff\xff.") == {}
