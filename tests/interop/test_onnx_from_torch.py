"""What PyTorch's exporter writes of common networks is read with the outputs that PyTorch computes."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.onnx.reader import read_onnx
from deeptheory.interop.torch.writer import write_torch
from tests.interop.networks import NETWORKS, images_for, relative_difference, small
from tests.interop.torch.test_writer import load

torch = pytest.importorskip("torch")
models = pytest.importorskip("tests.interop.torch_models")
pytest.importorskip("onnx")
tn, functional = torch.nn, torch.nn.functional
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # PyTorch's own, of this exporter
    pytest.mark.filterwarnings("ignore:Constant folding - Only steps=1:UserWarning"),
]


# Batch norms stay beside their convolutions, and paddings are calculated in the file.
AS_TRAINED = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}


def settle(module):
    """Running statistics as training would leave them."""
    generator = torch.Generator().manual_seed(1)
    for part in module.modules():
        if isinstance(part, tn.BatchNorm2d):
            part.running_mean.uniform_(-0.3, 0.3, generator=generator)
            part.running_var.uniform_(0.5, 1.5, generator=generator)
    return module.eval()


def exported(module, path, **options):
    """The network that is read from the file of a module, checked against it."""
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(2)) * 2 - 1
    options = {"dynamic_axes": {"images": {0: "N"}}, **options}
    torch.onnx.export(module, (images[:1],), path, dynamo=False, input_names=["images"], **options)
    network = read_onnx(path)
    with torch.no_grad():
        expected = module(images).numpy()
    found = network.infer(images.permute(0, 2, 3, 1).numpy())
    assert relative_difference(found, expected) <= 1e-5
    return network


@pytest.fixture
def path(tmp_path):
    torch.manual_seed(0)
    return tmp_path / "network.onnx"


def keys(network):
    return [list(stage.layers) for stage in (*network.stages, network.head)]


class Excitation(tn.Module):
    """As torchvision has it."""

    def __init__(self, channels, hidden, activation=tn.SiLU, gate=tn.Sigmoid):
        super().__init__()
        self.avgpool = tn.AdaptiveAvgPool2d(1)
        self.fc1, self.fc2 = tn.Conv2d(channels, hidden, 1), tn.Conv2d(hidden, channels, 1)
        self.activation, self.scale_activation = activation(), gate()

    def forward(self, x):
        return self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(x))))) * x


class Basic(tn.Module):
    """A residual block with a convolution as its shortcut, or with every other position and zeros."""

    def __init__(self, n_in, n_out, stride=1, shortcut="none"):
        super().__init__()
        self.conv1, self.bn1 = tn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), tn.BatchNorm2d(n_out)
        self.conv2, self.bn2 = tn.Conv2d(n_out, n_out, 3, 1, 1, bias=False), tn.BatchNorm2d(n_out)
        self.relu, self.stride, self.n_zeros = tn.ReLU(inplace=True), stride, n_out - n_in
        self.downsample = None
        if shortcut == "conv":
            self.downsample = tn.Sequential(
                tn.Conv2d(n_in, n_out, 1, stride, bias=False), tn.BatchNorm2d(n_out)
            )

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self.downsample is not None:
            x = self.downsample(x)
        elif self.n_zeros:
            x = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.n_zeros))
        return self.relu(out + x)


class Inverted(tn.Module):
    """An inverted bottleneck."""

    def __init__(self, n, expanded):
        super().__init__()
        self.block = tn.Sequential(
            tn.Conv2d(n, expanded, 1, bias=False), tn.BatchNorm2d(expanded, eps=1e-3), tn.SiLU(inplace=True),
            tn.Conv2d(expanded, expanded, 5, 1, 2, groups=expanded, bias=False),
            tn.BatchNorm2d(expanded), tn.SiLU(inplace=True), Excitation(expanded, 2),
            tn.Conv2d(expanded, n, 1, bias=False), tn.BatchNorm2d(n),
        )  # fmt: skip

    def forward(self, x):
        return x + self.block(x)


def vgg():
    return tn.Sequential(
        tn.Conv2d(3, 8, 3, padding=1), tn.BatchNorm2d(8), tn.ReLU(inplace=True), tn.MaxPool2d(2, 2),
        tn.Conv2d(8, 12, 3, padding=1), tn.BatchNorm2d(12), tn.ReLU(inplace=True), tn.AvgPool2d(3, 1),
        tn.Flatten(), tn.Linear(12 * 36, 10), tn.ReLU(True), tn.Dropout(), tn.Linear(10, 4),
    )  # fmt: skip


def test_a_vgg_with_its_batch_norms_folded_by_the_exporter(path):
    network = exported(settle(vgg()), path)
    assert keys(network) == [
        ["conv", "relu", "pool"],
        ["conv", "relu", "pool"],
        ["flatten", "linear", "relu"],
        ["linear"],
    ]
    assert network.stage("stage2").output_shape == (6, 6, 12)


def test_batch_norms_that_the_exporter_keeps(path):
    network = exported(settle(vgg()), path, **AS_TRAINED)
    assert keys(network)[:2] == [["conv", "norm", "relu", "pool"]] * 2


@pytest.mark.parametrize("shortcut", ["conv", "zeros"])
def test_a_residual_network(path, shortcut):
    module = tn.Sequential(
        tn.Conv2d(3, 8, 3, 1, 1), tn.ReLU(), Basic(8, 8), Basic(8, 12, 2, shortcut), tn.AdaptiveAvgPool2d(1),
        tn.Flatten(), tn.Linear(12, 4),
    )  # fmt: skip
    network = exported(settle(module), path, **AS_TRAINED)
    if shortcut == "conv":
        assert keys(network)[-3:] == [
            ["conv", "norm"],
            ["conv", "norm", "sum", "relu", "pool"],
            ["flatten", "linear"],
        ]
        assert network.stages[-1].inputs == {"conv": ("stage3",), "sum": ("stage5", "stage6.norm")}
    else:
        assert keys(network)[-2:] == [
            ["conv", "norm", "shortcut", "sum", "relu", "pool"],
            ["flatten", "linear"],
        ]


def test_a_padded_pooling_and_grouped_convolutions(path):
    module = models.Residual((1, 1, 1, 1), 0.125, 4, bottleneck=True, groups=4, base=32)
    network = exported(settle(module), path, **AS_TRAINED)
    assert keys(network)[:4] == [
        ["conv", "norm", "relu", "pool"],
        ["conv", "norm", "relu", "grouped", "grouped_norm", "grouped_relu"],
        ["conv", "norm"],
        ["conv", "norm", "sum", "relu"],
    ]
    assert network.stage("stage1").output_shape == (4, 4, 8)


def test_norms_before_convolutions(path):
    network = exported(settle(models.WideResidual(10, 2, 4, stem=8)), path, **AS_TRAINED)
    assert ["conv", "sum", "norm", "relu"] in keys(network)


def test_inverted_bottlenecks(path):
    class Net(tn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.block = tn.Conv2d(3, 8, 3, 2, 1), Inverted(8, 24)
            self.classifier = tn.Linear(8, 4)

        def forward(self, x):
            return self.classifier(self.block(functional.silu(self.stem(x))).mean((2, 3)))

    network = exported(settle(Net()), path, **AS_TRAINED)
    assert keys(network) == [
        ["conv", "silu"],
        ["conv", "norm", "silu", "depthwise", "depthwise_norm", "depthwise_silu", "squeeze"],
        ["conv", "norm", "sum", "pool"],
        ["linear"],
    ]


def test_the_activations_of_mobilenets(path):
    module = tn.Sequential(
        tn.Conv2d(3, 8, 3, 2, 1), tn.Hardswish(), tn.Conv2d(8, 8, 3, 1, 1, groups=8), tn.ReLU6(inplace=True),
        Excitation(8, 4, tn.ReLU, tn.Hardsigmoid), tn.AdaptiveAvgPool2d(1), tn.Flatten(), tn.Linear(8, 6),
        tn.Hardswish(), tn.Linear(6, 4),
    )  # fmt: skip
    with torch.no_grad():
        for parameter in module.parameters():
            parameter *= 4  # so that every piece of the activations is met
    network = exported(settle(module), path)
    assert keys(network) == [
        ["conv", "hardswish", "depthwise", "depthwise_relu6", "squeeze", "pool"],
        ["flatten", "linear", "hardswish"],
        ["linear"],
    ]


@pytest.mark.parametrize("axes", [{}, {"images": {0: "N"}}])
def test_views_and_units_of_pixels(path, axes):
    class Net(tn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.tensor([0.1, 0.2, 0.3])[None, :, None, None])
            self.register_buffer("std", torch.tensor([0.5, 0.6, 0.7])[None, :, None, None])
            self.fc1, self.fc2 = tn.Linear(768, 8, bias=False), tn.Linear(8, 4)

        def forward(self, x):
            x = (x * 0.5 + 0.5 - self.mean) / self.std
            x = torch.relu(self.fc1(x.view(x.size(0), -1)))
            return self.fc2(x)

    network = exported(Net().eval(), path, dynamic_axes=axes)
    assert keys(network) == [["standardise", "flatten", "linear", "relu"], ["linear"]]
    units = network.stages[0].layers["standardise"]
    np.testing.assert_allclose(units.mean, 2 * np.array([0.1, 0.2, 0.3]) - 1, atol=1e-6)
    np.testing.assert_allclose(units.deviation, 2 * np.array([0.5, 0.6, 0.7]), rtol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_our_own_networks_by_way_of_pytorch(tmp_path, path, name):
    network = small(name)
    module, images = load(write_torch(tmp_path / "net", network)[0]), images_for(network)
    torch.onnx.export(
        module, (torch.from_numpy(images.transpose(0, 3, 1, 2)),), path, dynamo=False,
        **AS_TRAINED,
    )  # fmt: skip
    again = read_onnx(path)
    assert relative_difference(again.infer(images), network.infer(images)) <= 1e-5
    kinds = [type(node.layer) for node in network.nodes if not isinstance(node.layer, nn.StochasticDepth)]
    assert [type(node.layer) for node in again.nodes] == kinds


def test_excitation_with_another_activation_is_refused(path):
    module = tn.Sequential(Excitation(3, 2, tn.ReLU), tn.Flatten(), tn.Linear(768, 4))
    with pytest.raises(
        InputError, match=r"inputs of Mul '/0/Mul': .* squeeze-and-excitation with SiLU inside, or"
    ):
        exported(module.eval(), path)
