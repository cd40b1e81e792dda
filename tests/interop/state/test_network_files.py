"""Tensors and architecture in two files: back to the last bit, and refused where they do not fit."""

import os
import sys

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.state.network_files import write_network
from tests.interop.networks import NETWORKS, compact_network, images_for, read_network, small

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
    assert_equal(read_network(tmp_path / "net"), compacted)


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
