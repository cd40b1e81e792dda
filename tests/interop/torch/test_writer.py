"""Networks rebuilt in PyTorch by the written script compute, and are trained, as ours."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.torch.writer import write_torch
from tests.interop.networks import (
    NETWORKS,
    TRANSFORMERS,
    compact_network,
    images_for,
    relative_difference,
    small,
    standardised,
)

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytestmark = pytest.mark.usefixtures("one_thread")


def load(path):
    """What the `load` of a script gives."""
    spec = importlib.util.spec_from_file_location("written", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load()


def logits(module, images):
    with torch.no_grad():
        return module(torch.from_numpy(images.transpose(0, 3, 1, 2))).numpy()


@pytest.mark.parametrize("name", NETWORKS | TRANSFORMERS)
def test_the_module_computes_the_same(tmp_path, name):
    network = small(name)
    script, tensors = write_torch(tmp_path / "net", network)
    assert (script, tensors) == (tmp_path / "net.py", tmp_path / "net.safetensors")
    images = images_for(network)
    assert relative_difference(logits(load(script), images), network.infer(images)) <= 1e-5


def test_a_compact_network_has_its_sizes_and_zeros_for_removed_kernels(tmp_path):
    network, images = compact_network(), images_for(compact_network())
    script, _ = write_torch(tmp_path / "net.py", network)
    module = load(script)
    assert relative_difference(logits(module, images), network.infer(images)) <= 1e-5
    layer, weight = network.stage("stage4").layers["conv"], module.stage4["conv"].weight.detach().numpy()
    assert weight.shape[:2] == (layer.n_out, layer.n_in)
    assert np.count_nonzero(weight.any(axis=(2, 3))) == layer.n_kept
    assert "Removed kernels of these layers are zeros" in script.read_text()
    assert "stage4.conv" in script.read_text().partition("import")[0]


def test_units_of_pixels_are_part_of_the_script(tmp_path):
    network = standardised()
    script, _ = write_torch(tmp_path / "net", network)
    images = images_for(network)
    assert relative_difference(logits(load(script), images), network.infer(images)) <= 1e-5


def test_double_precision_stays_double(tmp_path):
    network = small("resnet20", np.float64)
    script, _ = write_torch(tmp_path / "net", network)
    images = images_for(network)
    assert relative_difference(logits(load(script), images), network.infer(images)) <= 1e-13


def test_gradients_agree_in_training(tmp_path):
    network = small("resnet20")
    module = load(write_torch(tmp_path / "net", network)[0]).train()
    images, labels = images_for(network, 16), np.arange(16) % 4
    found, _ = network.forward(images, training=True)
    _, dlogits = nn.softmax_cross_entropy(found, labels)
    network.backward(dlogits)
    output = module(torch.from_numpy(images.transpose(0, 3, 1, 2)))
    torch.nn.functional.cross_entropy(output, torch.from_numpy(labels)).backward()
    gradients = network.gradients()
    assert len(gradients) == sum(1 for _ in module.parameters())
    for name, parameter in module.named_parameters():
        assert relative_difference(parameter.grad.numpy(), gradients[name]) <= 1e-4, name
    for name, buffer in network.buffers().items():
        assert relative_difference(module.state_dict()[name].numpy(), buffer) <= 1e-5, name


def test_the_script_needs_nothing_of_deeptheory(tmp_path):
    script, _ = write_torch(tmp_path / "net", small("efficientnet-b0"))
    assert "deeptheory." not in script.read_text()
    count = "sum(p.numel() for p in net.load().parameters())"
    program = f"import sys, net; print({count}, 'deeptheory' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    n_parameters = sum(array.size for array in small("efficientnet-b0").parameters().values())
    assert ran.stdout.split() == [str(n_parameters), "False"], ran.stderr


def test_stochastic_depth_drops_branches_in_training_only(tmp_path):
    module = load(write_torch(tmp_path / "net", small("efficientnet-b0"))[0])
    torch.manual_seed(0)
    images = torch.rand(64, 3, 16, 16)
    assert torch.equal(module(images), module(images))
    assert not torch.equal(module.train()(images), module(images))


def test_a_layer_or_a_name_that_cannot_be_written_is_refused(tmp_path):
    class Noise(nn.Layer):
        pass

    with pytest.raises(InputError, match=r"layer: expected one of AvgPool2d, .*, found 'Noise'"):
        write_torch(tmp_path / "net", nn.Network((), nn.Stage("head", {"noise": Noise()}, (4,)), (4,)))
    network = small("lenet")
    first, *rest = network.stages
    renamed = [nn.Stage("my-stage", first.layers, first.output_shape), *rest]
    with pytest.raises(InputError, match=r"my-stage: expected letters, digits and _, found 'my-stage'"):
        write_torch(tmp_path / "net", nn.Network(renamed, network.head, network.input_shape))
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"tensors .*: expected a place that can be written, found .*No such"
    ):
        write_torch(tmp_path / "none" / "net.py", small("lenet"))
