"""Tensors come out of files as they were written, and nothing of a file is run."""

import os
import pickle
import zipfile

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.interop.state.state_files import read_state
from deeptheory.system import memory

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

STATE = {
    "b.weight": torch.linspace(-2, 2, 6).reshape(2, 3),
    "a.running_mean": torch.tensor([0.5]),
    "n.num_batches_tracked": torch.tensor(7),
}


@pytest.fixture(params=[".pt", ".pth", ".safetensors"])
def saved(request, tmp_path):
    def save(state):
        path = tmp_path / f"net{request.param}"
        (safetensors.save_file if request.param == ".safetensors" else torch.save)(state, path)
        return path

    return save


def test_tensors_come_back(saved):
    path = saved(STATE)
    found = read_state(path)
    assert found.tensors.keys() == STATE.keys()
    for name, tensor in STATE.items():
        np.testing.assert_array_equal(found.tensors[name], tensor.numpy())
        assert found.tensors[name].dtype == tensor.numpy().dtype
        assert found.tensors[name].flags.writeable
    assert not found.converted
    assert len(found.sha256) == 64


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_precisions_are_converted_and_said(saved, dtype):
    tensor = torch.linspace(-2, 2, 7).to(getattr(torch, dtype))
    found = read_state(saved({"w": tensor, "v": torch.ones(2)}))
    assert found.converted == {"w": dtype}
    assert found.tensors["w"].dtype == np.float32
    np.testing.assert_array_equal(found.tensors["w"], tensor.float().numpy())


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
def test_a_larger_dictionary_and_the_prefix_of_a_wrapper(tmp_path, key):
    wrapped = {f"module.{name}": tensor.half() for name, tensor in STATE.items() if "num" not in name}
    torch.save({"epoch": 3, key: wrapped, "optimizer": {"lr": 0.1}}, tmp_path / "net.pt")
    found = read_state(tmp_path / "net.pt")
    assert found.tensors.keys() == {"b.weight", "a.running_mean"}
    assert found.converted == dict.fromkeys(found.tensors, "float16")


class Planted:
    """A pickle of it makes a directory when it is read by a reader that runs code."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_code_in_a_file_is_refused_and_not_run(tmp_path, save):
    save({"w": torch.ones(2), "x": Planted(tmp_path / "ran")}, tmp_path / "net.pt")
    with pytest.raises(
        InputError, match=r"net.pt: expected a state dictionary of tensors, found a pickle"
    ) as e:
        read_state(tmp_path / "net.pt")
    assert "nothing of it was run; save model.state_dict()" in str(e.value)
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(Planted(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()  # so that what was planted would have left its mark


def test_a_whole_model_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 3), tmp_path / "net.pt")
    with pytest.raises(
        InputError, match=r"asks for torch.nn.modules.linear.Linear; nothing .* save model.state"
    ):
        read_state(tmp_path / "net.pt")


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.98])
def test_a_truncated_file_is_refused(tmp_path, ending, share):
    path = tmp_path / f"net{ending}"
    (torch.save if ending == ".pt" else safetensors.save_file)(STATE, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="one that cannot be read"):
        read_state(path)


@pytest.mark.parametrize(
    ("saved", "text"),
    [
        ([torch.ones(2)], "found a list"),
        ({"epoch": 3, "optimizer": {}}, "found a dictionary with 'epoch', 'optimizer'"),
        ({"w": torch.ones(2), "lr": 0.1}, "'lr' in .*expected a tensor, found float"),
        ({"w": torch.tensor([1.0, float("nan")])}, "expected finite numbers, found 1 others among 2 in 'w'"),
        ({"w": torch.ones(2, dtype=torch.complex64)}, "a dense tensor of real numbers, found complex64"),
    ],
)
def test_what_is_no_state_is_refused(tmp_path, saved, text):
    torch.save(saved, tmp_path / "net.pt")
    with pytest.raises(InputError, match=text):
        read_state(tmp_path / "net.pt")


def test_files_of_other_kinds_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected safetensors, or a state dictionary .* found no file"):
        read_state(tmp_path / "net.pt")
    (tmp_path / "net.pt").write_bytes(b"no network")
    with pytest.raises(InputError, match="one that cannot be read"):
        read_state(tmp_path / "net.pt")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"<!DOCTYPE html>", "a page of the web, which a failed download leaves; download it again"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes"),
    ],
)
def test_what_is_often_found_in_place_of_a_network_is_named(tmp_path, content, text):
    (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(InputError, match=text):
        read_state(tmp_path / "net.pt")


def test_safetensors_that_is_missing_is_named(tmp_path, monkeypatch):
    safetensors.save_file(STATE, tmp_path / "net")
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    with pytest.raises(InputError, match=r"pip install 'deeptheory\[interop\]'"):
        read_state(tmp_path / "net")


def test_a_few_numbers_that_stand_for_many_are_refused(tmp_path):
    torch.save({"w": torch.zeros(1).expand(10**6, 10**7)}, tmp_path / "net.pt")
    with pytest.raises(
        InputError, match=r"'w' in .*: expected at most 80 % of the free memory, .*120000.0 GB"
    ):
        read_state(tmp_path / "net.pt")


def test_a_tensor_without_numbers_is_refused(tmp_path):
    torch.save({"w": torch.empty(3, device="meta")}, tmp_path / "net.pt")
    with pytest.raises(
        InputError, match=r"'w' in .*: expected a dense tensor with its numbers, found .*meta"
    ):
        read_state(tmp_path / "net.pt")


def test_a_file_that_unpacks_to_more_than_the_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "net.pt"
    torch.save(STATE, path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data/9", bytes(10**7))
    monkeypatch.setattr(memory, "free_memory", lambda: 10**6)
    with pytest.raises(InputError, match=r"file .*net.pt: expected at most 80 % of the free memory"):
        read_state(path)


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_a_pipe_is_not_waited_for(tmp_path, ending):
    os.mkfifo(tmp_path / f"net{ending}")
    with pytest.raises(InputError, match=r"file of tensors: expected .*, found no file"):
        read_state(tmp_path / f"net{ending}")
