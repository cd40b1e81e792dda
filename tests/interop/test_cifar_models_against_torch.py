"""chenyaofo's networks for CIFAR give the outputs of their PyTorch modules."""

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.interop.reading import find_network

torch = pytest.importorskip("torch")
models = pytest.importorskip("tests.interop.torch_models")
cifar = pytest.importorskip("tests.interop.torch_cifar_models")
pytestmark = pytest.mark.usefixtures("one_thread")

TOLERANCE, SIZE = 1e-4, 32  # of the largest output; pixels
MODELS = {
    "cifar10_resnet20": lambda: cifar.CifarResNet(3, 0.25, 5),
    "cifar100_resnet32": lambda: cifar.CifarResNet(5, 0.25, 5),
    "resnet44-projected": lambda: cifar.CifarResNet(7, 0.25, 5),
    "cifar10_resnet56": lambda: cifar.CifarResNet(9, 0.125, 5),
    "cifar10_vgg11_bn": lambda: models.VGG(models.OURS["vgg11-8conv"], 0.03, 5, pooled=False),
    "cifar100_mobilenetv2_x0_5": lambda: cifar.cifar_mobilenet(0.25, 5),
}


@pytest.fixture
def imported(tmp_path):
    def read(module, name):
        torch.save(module.state_dict(), tmp_path / "state.pt")
        return find_network(tmp_path / "state.pt", name, (SIZE, SIZE, 3))

    return read


def difference(network, module):
    """Largest difference of the outputs, relative to the largest of them."""
    x = models.images(3, SIZE)
    expected = models.outputs_of(module, x)
    assert expected.std(axis=0).max() > 0.01 * np.abs(expected).max()  # they depend on the images
    return np.abs(network.infer(x) - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_those_of_torch(imported, name):
    module = models.settled(MODELS[name]())
    found = imported(module, name)
    assert difference(found.network(), module) <= TOLERANCE
    taken = {tensor for tensor, *_ in found.account.rows}
    assert taken == {key for key in module.state_dict() if "num_batches" not in key}


def test_weights_in_the_shortcuts_of_a_resnet20_are_seen(imported):
    module = models.settled(MODELS["cifar10_resnet20"]())
    found = imported(module, "resnet20")
    assert found.account.architecture == "resnet20-projected"
    assert difference(found.network(), module) <= TOLERANCE


def test_the_strides_of_a_mobilenet_on_small_images_are_asked_for(imported):
    module = models.settled(MODELS["cifar100_mobilenetv2_x0_5"]())
    words = "expected mobilenet_v2 or cifar10_mobilenetv2_x1_0, found tensors that do not say the strides"
    with pytest.raises(InputError, match=words):
        imported(module, "mobilenet-v2").network()
    assert difference(imported(module, "mobilenet_v2").network(), module) > 100 * TOLERANCE
