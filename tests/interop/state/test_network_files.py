"""Tensors and architecture in two files: back to the last bit, and refused where they do not fit."""

import os
import sys

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.state.network_files import read_network, write_network
from deeptheory.interop.state.tensor_files import read_tensors, write_tensors
from tests.interop.networks import NETWORKS, compact_network, images_for, small

safetensors = pytest.importorskip("safetensors.numpy")
pytestmark = pytest.mark.usefixtures("one_thread")


def assert_equal(again, network):
    assert nn.blueprint_of(again) == nn.blueprint_of(network)
    assert list(again.parameters()) == list(network.parameters())
    assert list(again.buffers()) == list(network.buffers())
    for name, array in network.state().items():
        np.testing.assert_array_equal(again.state()[name], array, err_msg=name)
        assert again.state()[name].dtype == array.dtype
    images = images_for(network)
    np.testing.assert_array_equal(again.infer(images), network.infer(images))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_to_the_last_bit(tmp_path, name):
    network = small(name)
    assert write_network(tmp_path / "net", network) == (tmp_path / "net.safetensors", tmp_path / "net.toml")
    assert_equal(read_network(tmp_path / "net"), network)


def test_a_compact_network_comes_back_to_the_last_bit(tmp_path):
    compacted = compact_network()
    write_network(tmp_path / "net.toml", compacted)
    assert_equal(read_network(tmp_path / "net.safetensors"), compacted)


def test_double_precision_stays_double(tmp_path):
    network = small("lenet", np.float64)
    write_network(tmp_path / "net", network)
    assert_equal(read_network(tmp_path / "net"), network)


def test_other_programs_find_the_tensors_under_their_dotted_names(tmp_path):
    network = small("lenet")
    write_network(tmp_path / "v1.2", network)
    found = safetensors.load_file(tmp_path / "v1.2.safetensors")
    assert found.keys() == network.state().keys()
    np.testing.assert_array_equal(found["stage1.conv.weight"], network.parameters()["stage1.conv.weight"])


def test_a_truncated_file_is_refused(tmp_path):
    tensors, _ = write_network(tmp_path / "net", small("lenet"))
    tensors.write_bytes(tensors.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"tensors .*net\.safetensors: expected a complete safetensors file"):
        read_network(tmp_path / "net")


def test_missing_files_are_named(tmp_path):
    tensors, architecture = write_network(tmp_path / "net", small("lenet"))
    tensors.unlink()
    with pytest.raises(InputError, match=r"tensors: expected a safetensors file, found no file .*net\.safet"):
        read_network(tmp_path / "net")
    architecture.unlink()
    with pytest.raises(InputError, match=r"architecture: expected a TOML file, found no file .*net\.toml"):
        read_network(tmp_path / "net")


def test_tensors_of_another_program_are_refused(tmp_path):
    network = small("lenet")
    tensors, _ = write_network(tmp_path / "net", network)
    safetensors.save_file(network.state(), tensors)
    with pytest.raises(InputError, match="expected a file that deeptheory wrote, found no list of param"):
        read_network(tmp_path / "net")


def test_tensors_that_no_layer_takes_and_missing_ones_are_refused(tmp_path):
    tensors, architecture = write_network(tmp_path / "net", small("vgg6"))
    text = architecture.read_text()
    architecture.write_text(text.replace('name = "stage2"', 'name = "stage9"'))
    with pytest.raises(InputError, match=r"expected those of the layers of .*net\.toml, found stage2\."):
        read_network(tmp_path / "net")
    architecture.write_text(text)
    arrays, metadata = read_tensors(tensors)
    del arrays["stage2.norm.weight"]
    write_tensors(tensors, arrays, metadata)
    with pytest.raises(InputError, match="expected each tensor once in its lists of parameters and buffers"):
        read_network(tmp_path / "net")
    named = {key: value.replace('"stage2.norm.weight", ', "") for key, value in metadata.items()}
    write_tensors(tensors, arrays, named)
    with pytest.raises(InputError, match=r"expected all tensors .*net\.toml, found none for 'weight'"):
        read_network(tmp_path / "net")
    write_tensors(tensors, arrays, metadata | {"buffers": "[1"})
    with pytest.raises(
        InputError, match="expected readable lists of parameters and buffers, found Expecting"
    ):
        read_network(tmp_path / "net")


def test_a_disk_that_is_full_leaves_the_old_files(tmp_path, monkeypatch):
    files = write_network(tmp_path / "net", small("lenet"))
    before = [file.read_bytes() for file in files]

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="expected a place that can be written, found No space left"):
        write_network(tmp_path / "net", small("vgg6"))
    assert [file.read_bytes() for file in files] == before
    assert len(list(tmp_path.iterdir())) == 2


def test_without_safetensors_it_is_said_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(InputError, match=r"package safetensors: .*pip install 'deeptheory\[interop\]'"):
        write_network(tmp_path / "net", small("lenet"))
