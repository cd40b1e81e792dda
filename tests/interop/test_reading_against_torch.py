"""Imported networks give the outputs of the PyTorch modules that the tensors come from."""

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.interop.reading import Units, find_network

torch = pytest.importorskip("torch")
models = pytest.importorskip("tests.interop.torch_models")
pytestmark = pytest.mark.usefixtures("one_thread")

TOLERANCE = 1e-4  # of the largest output
TINY = {
    "vgg11-10conv": (lambda: models.VGG(models.OURS["vgg11-10conv"], 0.06, 5, hidden=False, bias=False), 32),
    "vgg16": (lambda: models.VGG(models.OURS["vgg16"], 0.06, 5, hidden=False), 32),
    "vgg11-8conv": (lambda: models.VGG(models.OURS["vgg11-8conv"], 0.06, 5, hidden=False), 32),
    "vgg11_bn": (lambda: models.VGG(models.PUBLISHED["vgg11_bn"], 0.04, 5), 32),
    "vgg16_bn": (lambda: models.VGG(models.PUBLISHED["vgg16_bn"], 0.04, 5), 32),
    "resnet20-behind": (lambda: models.ResNet20(0.25, 5), 32),
    "resnet20-centred": (lambda: models.ResNet20(0.25, 5, head="linear", centred=True), 32),
    "resnet18": (lambda: models.Residual((2, 2, 2, 2), 0.25, 5), 40),
    "resnet34": (lambda: models.Residual((3, 4, 6, 3), 0.125, 5, small=True), 16),
    "resnet50": (lambda: models.Residual((3, 4, 6, 3), 0.125, 5, bottleneck=True), 33),
    "resnet101": (lambda: models.Residual((3, 4, 23, 3), 1 / 16, 5, bottleneck=True, small=True), 8),
    "wide_resnet50_2": (lambda: models.Residual((3, 4, 6, 3), 1 / 16, 5, bottleneck=True, base=128), 32),
    "resnext50_32x4d": (
        lambda: models.Residual((3, 4, 6, 3), 0.25, 5, bottleneck=True, groups=32, base=4),
        32,
    ),
    "wrn-28-10": (lambda: models.WideResidual(28, 2, 5, stem=4), 16),
    "efficientnet-b0": (lambda: models.EfficientNetB0(0.25, 5), 64),
    "efficientnet_b0": (lambda: models.EfficientNetB0(0.25, 5), 32),
    "efficientnet_b0-stride1": (lambda: models.EfficientNetB0(0.25, 5, stem_stride=1), 40),
}
FULL = {
    "vgg11-10conv": (lambda: models.VGG(models.OURS["vgg11-10conv"], 1, 10, hidden=False, bias=False), 32),
    "vgg16": (lambda: models.VGG(models.OURS["vgg16"], 1, 10, hidden=False), 32),
    "vgg11_bn": (lambda: models.VGG(models.PUBLISHED["vgg11_bn"], 1, 10), 32),
    "vgg16_bn": (lambda: models.VGG(models.PUBLISHED["vgg16_bn"], 1, 10), 32),
    "resnet20-behind": (lambda: models.ResNet20(1, 10), 32),
    "efficientnet_b0": (lambda: models.EfficientNetB0(1, 10), 64),
    "efficientnet_b0-stride1": (lambda: models.EfficientNetB0(1, 10, stem_stride=1), 32),
}


@pytest.fixture
def imported(tmp_path):
    """The network imported from a module's state dictionary, and the account."""

    def make(model, architecture, size, units=None):
        path = tmp_path / "state.pt"
        torch.save(model if isinstance(model, dict) else model.state_dict(), path)
        found = find_network(path, architecture, (size, size, 3), units)
        return found.network(), found.account

    return make


def difference(network, model, size, n=4):
    """Largest difference of the outputs, relative to the largest of them."""
    x = models.images(n, size)
    expected = models.outputs_of(model, x)
    assert expected.std(axis=0).max() > 0.01 * np.abs(expected).max()  # they depend on the images
    return np.abs(network.infer(x) - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("name", TINY)
def test_outputs_are_those_of_torch(imported, name):
    make, size = TINY[name]
    model = models.settled(make())
    network, account = imported(model, name, size)
    assert difference(network, model, size) < TOLERANCE
    state = model.state_dict()
    assert {tensor for tensor, *_ in account.rows} == {key for key in state if "num_batches" not in key}


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL)
def test_outputs_are_those_of_torch_at_full_width(imported, name):
    make, size = FULL[name]
    model = models.settled(make())
    found = difference(imported(model, name, size)[0], model, size, n=8)
    print(f"{name}: largest relative difference {found:.1e}")  # noqa: T201
    assert found < TOLERANCE


def test_a_shortcut_that_pads_in_another_way_gives_other_outputs(imported):
    model = models.settled(models.ResNet20(0.25, 5, centred=True))
    assert difference(imported(model, "resnet20-behind", 32)[0], model, 32) > 100 * TOLERANCE
    network, account = imported(model, "resnet20-centred", 32)
    assert difference(network, model, 32) < TOLERANCE
    assert "shortcuts to more filters add channels of zeros on both sides of those" in account.text


def small_stem():
    """torchvision's ResNet-18 with its stem replaced, as many do for small images."""
    model = models.Residual((2, 2, 2, 2), 0.25, 5)
    model.conv1, model.maxpool = torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False), torch.nn.Identity()
    return models.settled(model)


def test_a_replaced_stem(imported):
    model = small_stem()
    network, account = imported(model, "resnet18-cifar", 16)
    assert difference(network, model, 16) < TOLERANCE
    assert "the stem has stride 1, and no pooling follows it" in account.notes


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (
            lambda: models.ResNet20(0.25, 5, head="linear"),
            "resnet20",
            "resnet20-centred or resnet20-behind, found tensors that do not say where shortcuts add channels of "
            "zeros; see the padding in its forward pass: akamaster's",
        ),
        (
            lambda: models.EfficientNetB0(0.25, 5),
            "efficientnet-b0",
            "efficientnet_b0 or efficientnet_b0-stride1, found tensors that do not say the stride of the stem; ",
        ),
        (
            small_stem,
            "resnet18",
            "resnet18-cifar, found tensors that do not say whether the 3 x 3 stem is pooled; describe the network",
        ),
    ],
)
def test_what_tensors_of_another_package_do_not_say_is_asked_for(imported, make, name, words):
    with pytest.raises(InputError, match=f"--architecture: expected {words}"):
        imported(make(), name, 32)


def test_names_of_sequential_residual_blocks(imported):
    """Those of weiaicunzai/pytorch-cifar100; what is computed is the same."""
    model = models.settled(models.Residual((3, 4, 6, 3), 1 / 16, 5, bottleneck=True, small=True))
    places = {"conv1": 0, "bn1": 1, "conv2": 3, "bn2": 4, "conv3": 6, "bn3": 7}

    def renamed(name):
        if name.startswith("layer"):
            group, number, module, *rest = name.removeprefix("layer").split(".")
            inner = module if module == "shortcut" else f"residual_function.{places[module]}"
            return ".".join([f"conv{int(group) + 1}_x", number, inner, *rest])
        return name.replace("conv1", "conv1.0").replace("bn1", "conv1.1").replace("linear", "fc")

    state = {renamed(name): tensor for name, tensor in model.state_dict().items()}
    network, account = imported(state, "resnet50", 16)
    assert difference(network, model, 16) < TOLERANCE
    assert account.naming == "weiaicunzai"


@pytest.mark.parametrize(
    ("size", "options"),
    [
        (32, {"hidden": False}),  # kuangliu
        (64, {"hidden": False, "size": 64, "normed": False}),
        (32, {"pooled": False}),  # chenyaofo, weiaicunzai
        (64, {"pooled": False, "size": 64}),
        (32, {"normed": False}),  # torchvision, from here on
        (96, {"normed": False}),
        (224, {}),
        (256, {}),
        (448, {}),
    ],
)
def test_published_forms_of_vgg_at_any_size(imported, size, options):
    model = models.settled(models.VGG(models.OURS["vgg11-8conv"], 0.01, 3, **options))
    network, _ = imported(model, "vgg11-8conv", size)
    assert difference(network, model, size, n=2) < TOLERANCE


def test_a_bias_that_is_missing_is_named(imported):
    model = models.VGG(models.OURS["vgg11-8conv"], 0.01, 3)
    model.features[3 + 1].bias = None
    with pytest.raises(InputError, match=r"missing: 'features.4.bias'"):
        imported(model, "vgg11-8conv", 32)


def test_another_epsilon_is_folded(imported):
    model = models.settled(models.ResNet20(0.25, 5), epsilon=1e-3)
    assert difference(imported(model, "resnet20-behind", 32)[0], model, 32) > TOLERANCE
    network, account = imported(model, "resnet20-behind", 32, Units(norm_epsilon=1e-3))
    assert difference(network, model, 32) < TOLERANCE
    assert "epsilon 0.001 of the batch norms goes into the running variances" in account.notes


def test_mean_and_deviation_of_pixels(imported):
    model = models.settled(models.ResNet20(0.25, 5))
    mean, deviation = (0.49, 0.48, 0.45), (0.2, 0.21, 0.22)
    network, _ = imported(model, "resnet20-behind", 32, Units(mean, deviation))
    x = models.images(4, 32)
    given = ((x + 1) / 2 - np.array(mean, np.float32)) / np.array(deviation, np.float32)
    expected = models.outputs_of(model, given)
    assert np.abs(network.infer(x) - expected).max() < TOLERANCE * np.abs(expected).max()
    assert list(network.stages[0].layers)[:2] == ["standardise", "conv"]


def test_a_sequential_network_by_the_order_of_its_names(imported):
    tn = torch.nn
    layers = []
    for n_in, n_out, pooled in ((3, 4, 1), (4, 8, 1), (8, 8, 0), (8, 8, 1), (8, 16, 1)):
        block = [tn.Conv2d(n_in, n_out, 3, padding=1), tn.BatchNorm2d(n_out), tn.ReLU()]
        layers.append(tn.Sequential(*block, *([tn.MaxPool2d(2)] if pooled else [])))
    model = models.settled(tn.Sequential(*layers, tn.Flatten(), tn.Linear(16 * 4, 5)))
    network, account = imported(model, "vgg6", 32)
    assert difference(network, model, 32) < TOLERANCE
    assert account.naming == "natural order"
    assert "5 biases of convolutions go into the running mean of the batch norm behind" in account.notes
    assert not any(name.endswith("conv.bias") for name in network.parameters())
    assert not network.classifier_is_probe


def test_lenet_and_mlp_in_order(imported):
    class LeNet(torch.nn.Module):
        def __init__(self):
            super().__init__()
            tn = torch.nn
            self.conv1, self.conv2 = tn.Conv2d(3, 3, 5), tn.Conv2d(3, 5, 5)
            self.fc1, self.fc2, self.fc3 = tn.Linear(125, 10), tn.Linear(10, 8), tn.Linear(8, 5, bias=False)

        def forward(self, x):
            pool = torch.nn.functional.max_pool2d
            x = pool(torch.relu(self.conv2(pool(torch.relu(self.conv1(x)), 2))), 2)
            x = torch.relu(self.fc1(torch.flatten(x, 1)))
            return self.fc3(torch.relu(self.fc2(x)))

    model = models.settled(LeNet())
    network, _ = imported(model, "lenet", 32)
    assert difference(network, model, 32) < TOLERANCE
    tn = torch.nn
    layers = [tn.Linear(192, 12), tn.ReLU(), tn.Linear(12, 9), tn.ReLU(), tn.Linear(9, 5)]
    model = models.settled(tn.Sequential(tn.Flatten(), *layers))
    network, _ = imported(model, "mlp", 8)
    assert difference(network, model, 8) < TOLERANCE
