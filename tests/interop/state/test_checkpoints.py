"""Checkpoints as people have them: by content, out of larger dictionaries, with what is saved beside the state."""

import argparse
import collections
import contextlib
import io
import os
import pathlib
import pickle
import sys
import zipfile

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.interop.state.state_files import read_state

torch = pytest.importorskip("torch")
prune = pytest.importorskip("torch.nn.utils.prune")

STATE = collections.OrderedDict(
    {
        "a.weight": torch.linspace(-2, 2, 24).reshape(4, 6)[:, ::2],  # a view with strides of its own
        "a.bias": torch.nn.Parameter(torch.arange(4.0)),
        "n.num_batches_tracked": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "flags": torch.tensor([True, False]),
    }
)


def old(value, path):
    torch.save(value, path, _use_new_zipfile_serialization=False)


def plain(protocol):
    return lambda value, path: path.write_bytes(pickle.dumps(value, protocol))


SAVES = {"new": torch.save, "old": old, **{f"pickle {n}": plain(n) for n in (2, 3, 4, 5)}}


def assert_read(found, state):
    assert found.tensors.keys() == state.keys()
    for name, tensor in state.items():
        np.testing.assert_array_equal(found.tensors[name], tensor.detach().float().numpy())
        assert found.tensors[name].flags.writeable


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
@pytest.mark.parametrize(
    "name", ["net.pth.tar", "net.ckpt", "pytorch_model.bin", "net.pkl", "net.onnx", "net"]
)
def test_the_content_says_what_a_file_is(tmp_path, save, name):
    save(STATE, tmp_path / name)
    assert_read(read_state(tmp_path / name), STATE)


def test_pytorch_is_not_needed(tmp_path, monkeypatch):
    torch.save(STATE, tmp_path / "net")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert list(read_state(tmp_path / "net").tensors) == list(STATE)


def test_a_pickle_of_arrays(tmp_path):
    arrays = {"w": np.arange(6.0).reshape(2, 3), "v": np.arange(2, dtype=np.float32)}
    (tmp_path / "net.pkl").write_bytes(pickle.dumps({"model": arrays, "author": "me"}))
    found = read_state(tmp_path / "net.pkl")
    np.testing.assert_array_equal(found.tensors["w"], arrays["w"])
    assert found.converted == {"w": "float64"}
    assert found.notes == ("the tensors are the entry 'model' of the file; beside it: 'author'",)


BESIDE = {
    "acc": np.float64(93.1),
    "epoch": 180,
    "args": argparse.Namespace(lr=0.1, path=pathlib.Path("data"), betas=(0.9, 0.999)),
    "history": np.arange(3.0),
    "optimizer": {"state": {0: {"momentum_buffer": torch.ones(2)}}, "param_groups": [{"params": [0]}]},
    "seen": {1, 2},
    "shape": torch.Size([3, 32, 32]),
    "counts": collections.defaultdict(int, {"x": 2}),
}


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
@pytest.mark.parametrize("key", ["net", "model", "state_dict", "model_state_dict", "weights_of_mine"])
def test_the_state_in_a_larger_dictionary(tmp_path, save, key):
    save({**BESIDE, key: STATE}, tmp_path / "ckpt")
    found = read_state(tmp_path / "ckpt")
    assert_read(found, STATE)
    assert found.notes[0].startswith(
        f"the tensors are the entry '{key}' of the file; beside it: 'acc', 'epoch'"
    )


def test_several_states_of_which_none_has_a_known_name(tmp_path):
    torch.save({"generator": STATE, "critic": STATE}, tmp_path / "net")
    with pytest.raises(InputError, match="several states: 'generator', 'critic'"):
        read_state(tmp_path / "net")


@pytest.mark.parametrize("prefix", ["model.", "module.", "_orig_mod.", "model._orig_mod.module."])
def test_prefixes_that_all_names_have_are_taken_off_and_said(tmp_path, prefix):
    torch.save({prefix + name: tensor for name, tensor in STATE.items()}, tmp_path / "net")
    found = read_state(tmp_path / "net")
    assert_read(found, STATE)
    parts = [f"the prefix '{part}.' is taken off all names" for part in prefix[:-1].split(".")]
    assert list(found.notes) == parts
    torch.save({**STATE, f"{prefix}w": torch.ones(1)}, tmp_path / "net")
    assert f"{prefix}w" in read_state(tmp_path / "net").tensors


def test_masks_of_pruning_are_applied(tmp_path):
    layer = torch.nn.Linear(5, 4)
    prune.l1_unstructured(layer, "weight", amount=0.5)
    torch.save({"net": layer.state_dict()}, tmp_path / "net")
    found = read_state(tmp_path / "net")
    assert found.tensors.keys() == {"weight", "bias"}
    np.testing.assert_array_equal(found.tensors["weight"], layer.weight.detach().numpy())
    assert np.count_nonzero(found.tensors["weight"]) == 10
    assert found.notes[1] == "masks of 1 parameters, which keep 10 of 20 weights, are applied"


def test_a_script_is_refused_with_what_to_do(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"net/{name}", b"")
    with pytest.raises(
        InputError, match=r"a TorchScript: a program; load it with torch.jit.load, and torch.save"
    ):
        read_state(tmp_path / "net.pt")


class Planted:
    def __init__(self, made, state=None):
        self.made, self.state = made, state

    def __reduce_ex__(self, protocol):
        return self.made if self.state is None else (*self.made, self.state)


def runs(path):
    code = f"__import__('os').mkdir({str(path)!r})"
    return {
        "eval": Planted((eval, (code,))),
        "in an object that is left out": argparse.Namespace(x=Planted((os.mkdir, (str(path),)))),
        "as a key": {Planted((os.mkdir, (str(path),))): 1},
        "getattr": Planted((getattr, ("", "join"))),
        "in a state": Planted((argparse.Namespace, ()), {"x": Planted((eval, (code,)))}),
        "np.load": Planted((np.load, (str(path),))),
    }


@pytest.mark.parametrize("save", [torch.save, old, plain(4)])
@pytest.mark.parametrize("name", list(runs("")))
def test_nothing_beside_the_state_is_run(tmp_path, save, name):
    save({"net": STATE, "x": runs(tmp_path / "ran")[name]}, tmp_path / "net")
    with pytest.raises(InputError, match=r"a pickle that asks for .*; nothing of it was run|cannot be read"):
        read_state(tmp_path / "net")
    assert not (tmp_path / "ran").exists()


def with_tensor(storage, offset, shape, strides):
    """A file whose one tensor is described so."""
    content = io.BytesIO()
    torch.save({"w": torch.ones(4)}, content)
    found = io.BytesIO()
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(found, "w") as new:
        root = old.namelist()[0].split("/")[0]
        pickled = (
            b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n"
            + storage + b"Storage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ"
        )  # fmt: skip
        parts = b"".join(pickle.dumps(part, 2)[2:-1] for part in (offset, shape, strides))
        new.writestr(f"{root}/data.pkl", pickled + parts + b"\x89}tRs.")
        new.writestr(f"{root}/data/0", old.read(f"{root}/data/0"))
    return found.getvalue()


def test_a_tensor_of_a_description(tmp_path):
    (tmp_path / "net").write_bytes(with_tensor(b"Float", 1, (3,), (1,)))
    np.testing.assert_array_equal(read_state(tmp_path / "net").tensors["w"], np.ones(3))


@pytest.mark.parametrize(
    ("described", "text"),
    [
        ((b"Float", 0, (5,), (1,)), "a storage of 4 numbers that lacks number 4"),
        ((b"Float", 2, (2,), (2,)), "a storage of 4 numbers that lacks number 4"),
        ((b"Double", 0, (4,), (1,)), "a storage of 2 numbers that lacks number 3"),
        ((b"Float", -1, (1,), (1,)), "a size that is none"),
        ((b"Float", 0, (1,), (-1,)), "a size that is none"),
        ((b"Float", 0, (1, 1), (1,)), "too many axes"),
        ((b"Float", 0, (1,) * 33, (1,) * 33), "too many axes"),
        ((b"Float", 0, (1,), (2**70,)), "cannot be read"),
        ((b"Float", 0, (2**40,), (0,)), "of the free memory"),
        ((b"QInt8", 0, (1,), (1,)), "a dense tensor of real numbers, found QInt8"),
    ],
)
def test_tensors_beyond_their_storage_are_refused(tmp_path, described, text):
    (tmp_path / "net").write_bytes(with_tensor(*described))
    with pytest.raises(InputError, match=text):
        read_state(tmp_path / "net")


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
def test_damaged_files_are_refused_or_read(tmp_path, save):
    save({"net": STATE, **BESIDE}, tmp_path / "net")
    content, rng = (tmp_path / "net").read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        changed = bytearray(content)
        for place in rng.integers(0, len(content), 3):
            changed[place] = rng.integers(256)
        (tmp_path / "net").write_bytes(changed[: rng.integers(len(content) // 2, len(content) + 1)])
        with contextlib.suppress(InputError):
            read_state(tmp_path / "net")
