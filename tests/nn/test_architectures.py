"""The networks by name."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.architectures import ARCHITECTURES, NAMES, Architecture
from deeptheory.runs.configuration import config_from


def build(name, input_shape=(32, 32, 3), **options):
    return nn.build(name, 100, input_shape, rng=np.random.default_rng(0), **options)


def test_vgg11_is_vgg16_cut_after_the_tenth_convolution():
    network = build("vgg11-10conv")
    assert [s.output_shape for s in network.stages] == [
        (32, 32, 64), (16, 16, 64), (16, 16, 128), (8, 8, 128), (8, 8, 256),
        (8, 8, 256), (4, 4, 256), (4, 4, 512), (4, 4, 512), (2, 2, 512),
    ]  # fmt: skip
    assert network.parameters()["head.linear.weight"].shape == (100, 2048)
    assert sum(a.size for name, a in network.parameters().items() if "norm" not in name) == 7_837_376
    assert network.classifier_is_probe


@pytest.mark.parametrize(
    ("name", "convolutions", "parameters"),
    [("vgg11-8conv", 8, 9_231_114), ("vgg13", 10, 9_416_010), ("vgg19", 16, 20_040_522)],
)
def test_published_vgg(name, convolutions, parameters):
    """Counts of github.com/kuangliu/pytorch-cifar, whose convolutions and head have biases besides."""
    network = nn.build(name, 10, (32, 32, 3), rng=np.random.default_rng(0))
    shapes = [array.shape for array in network.parameters().values()]
    weights = [shape for shape in shapes if len(shape) == 4]
    assert len(weights) == convolutions
    biases = sum(shape[0] for shape in weights) + 10
    assert sum(np.prod(shape) for shape in shapes) + biases == parameters


def test_multiply_adds_of_vgg11():
    # positions * 9 * inputs * outputs, convolution by convolution
    by_hand = {
        "stage1.conv": 1024 * 9 * 3 * 64,
        "stage2.conv": 1024 * 9 * 64 * 64,
        "stage3.conv": 256 * 9 * 64 * 128,
        "stage4.conv": 256 * 9 * 128 * 128,
        "stage5.conv": 64 * 9 * 128 * 256,
        "stage6.conv": 64 * 9 * 256 * 256,
        "stage7.conv": 64 * 9 * 256 * 256,
        "stage8.conv": 16 * 9 * 256 * 512,
        "stage9.conv": 16 * 9 * 512 * 512,
        "stage10.conv": 16 * 9 * 512 * 512,
        "head.linear": 2048 * 100,
    }
    assert build("vgg11-10conv").multiply_adds() == by_hand


def test_vgg16_with_a_hidden_classifier():
    network = build("vgg16", width=1 / 64, classifier="hidden")
    assert [s.name for s in network.stages] == [f"stage{m}" for m in range(1, 16)]
    assert [s.output_shape for s in network.stages[-3:]] == [(1, 1, 8), (64,), (64,)]
    assert list(network.stages[13].layers) == ["flatten", "linear", "relu"]
    assert list(network.stages[14].layers) == ["linear", "relu"]
    assert network.parameters()["head.linear.weight"].shape == (100, 64)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("vgg6", [(16, 16, 64), (8, 8, 128), (8, 8, 256), (4, 4, 256), (2, 2, 512)]),
        ("lenet", [(14, 14, 6), (5, 5, 16), (120,), (84,)]),
        ("mlp", [(512,), (512,)]),
    ],
)
def test_stages(name, shapes):
    assert [s.output_shape for s in build(name).stages] == shapes


@pytest.mark.parametrize("name", NAMES)
def test_every_network_runs_forward_and_backward(name):
    of_words = ARCHITECTURES[name].reads_words
    network = build(name, (12, 1, 1) if of_words else (32, 32, 3), width=1 / 16)
    x = network.examples(3, np.random.default_rng(1))
    logits, _ = network.forward(x, training=True)
    assert logits.shape == (3, 100)
    assert logits.dtype == np.float32
    network.backward(logits)
    assert {k: g.shape for k, g in network.gradients().items()} == {
        k: a.shape for k, a in network.parameters().items()
    }


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet18", 11_689_512),
        ("resnext50_32x4d", 25_028_904),
    ],
)
def test_residual_networks_have_the_parameters_of_torchvision(name, parameters):
    network = nn.build(name, 1000, (224, 224, 3), rng=np.random.default_rng(0), form="imagenet")
    assert sum(a.size for a in network.parameters().values()) + 1000 == parameters  # its head has a bias


def test_wide_residual_networks():
    network = nn.build("wrn-28-10", 10, (32, 32, 3), 0.1, rng=np.random.default_rng(0))
    weights = [array.shape for array in network.parameters().values() if array.ndim == 4]
    assert len(weights) == 25 + 3  # and of shortcuts
    inputs = {node.name: node.inputs for node in network.nodes}
    assert inputs["stage3.conv"] == ("stage1.relu",)  # a shortcut
    assert inputs["stage4.sum"] == ("stage4.conv", "stage3.conv")
    assert inputs["stage6.sum"] == ("stage6.conv", "stage4.sum")
    assert network.output_shape("stage28.sum") == (8, 8, 64)


def test_residual_networks():
    network = build("resnet50", (64, 48, 3), width=1 / 16, form="imagenet")
    assert [s.output_shape for s in network.stages[:4]] == [
        (16, 12, 4),
        (16, 12, 4),
        (16, 12, 4),
        (16, 12, 16),
    ]
    assert network.output_shape("stage53.sum") == (2, 2, 128)
    inputs = {node.name: node.inputs for node in network.nodes}
    assert inputs["stage4.conv"] == ("stage1.pool",)  # a shortcut
    assert inputs["stage5.conv"] == ("stage3.relu",)
    assert inputs["stage5.sum"] == ("stage5.norm", "stage4.norm")
    assert inputs["stage8.sum"] == ("stage8.norm", "stage5.relu")
    small = build("resnext50_32x4d", width=1 / 16)
    assert list(small.stages[1].layers) == ["conv", "norm", "relu", "grouped", "grouped_norm", "grouped_relu"]
    assert small.stages[1].output_shape == (32, 32, 32)
    with pytest.raises(InputError, match=r"^form: expected one of cifar, imagenet, found 'large'"):
        build("resnet18", form="large")


def test_every_name_is_an_option():
    for name in NAMES:
        assert config_from({"network": {"name": name}}).network.name == name
    with pytest.raises(
        InputError, match=r"network\.name: expected one of .*vgg11-10conv.*did you mean 'vgg19'"
    ):
        config_from({"network": {"name": "vgg12"}})


def test_every_option_of_an_architecture_is_one_of_the_configuration_with_the_same_default():
    options = {o: v for architecture in ARCHITECTURES.values() for o, v in architecture.options.items()}
    assert options == nn.NetworkOptions().of_architecture


def test_one_entry_adds_an_architecture(monkeypatch):
    def add_stages(builder, hidden):
        builder.append({"flatten": nn.Flatten(), "linear": nn.Linear(12, hidden, rng=builder.rng)})

    monkeypatch.setitem(ARCHITECTURES, "new", Architecture(add_stages, {"hidden": 7}))
    assert [build("new", (2, 2, 3), **options).stages[0].output_shape for options in ({}, {"hidden": 5})] == [
        (7,), (5,),
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"^hidden of lenet: expected 7, found 5; it is an option of new$"):
        build("lenet", hidden=5)


def n_parameters(network):
    return sum(array.size for array in network.parameters().values())


def test_resnet20():
    network = nn.build("resnet20", 10, (32, 32, 3), rng=np.random.default_rng(0))
    shapes = [(32, 32, 16)] * 7 + [(16, 16, 32)] * 6 + [(8, 8, 64)] * 5 + [(64,)]
    assert [s.output_shape for s in network.stages] == shapes
    # 3 x 3 kernels of all convolutions, two numbers per filter of a norm, the head
    kernels = 3 * 16 + 6 * 16**2 + 16 * 32 + 5 * 32**2 + 32 * 64 + 5 * 64**2
    assert n_parameters(network) == 9 * kernels + 2 * (7 * 16 + 6 * 32 + 6 * 64) + 64 * 10
    assert list(network.stage("stage3").layers) == ["conv", "norm", "sum", "relu"]
    assert list(network.stage("stage9").layers) == ["conv", "norm", "shortcut", "sum", "relu"]
    inputs = {node.name: node.inputs for node in network.nodes}
    assert inputs["stage3.sum"] == ("stage3.norm", "stage1.relu")
    assert inputs["stage9.shortcut"] == ("stage7.relu",)
    assert inputs["stage9.sum"] == ("stage9.norm", "stage9.shortcut")
    assert network.classifier_is_probe


def test_efficientnet_b0():
    network = build("efficientnet-b0")
    # torchvision counts 5,288,548 at 1000 labels, 1000 of them biases of the head
    assert n_parameters(network) - 1280 * 100 + 1280 * 1000 == 5_287_548
    shapes = [s.output_shape for s in network.stages]
    assert len(shapes) == 1 + 1 + 2 * 15 + 1
    assert shapes[:4] == [(32, 32, 32), (32, 32, 16), (16, 16, 96), (16, 16, 24)]
    assert shapes[-3:] == [(2, 2, 1152), (2, 2, 320), (1280,)]
    expand = ["conv", "norm", "silu", "depthwise", "depthwise_norm", "depthwise_silu", "squeeze"]
    assert list(network.stage("stage1").layers) == list(network.stage("stage3").layers) == expand
    assert list(network.stage("stage4").layers) == ["conv", "norm"]
    assert list(network.stage("stage6").layers) == ["conv", "norm", "sum"]
    inputs = {node.name: node.inputs for node in network.nodes}
    assert inputs["stage6.sum"] == ("stage6.norm", "stage4.norm")
    assert sum("sum" in s.layers for s in network.stages) == 9
    assert [s.name for s in network.stages if "conv" not in s.layers] == []
    assert network.classifier_is_probe
    assert network.stage("stage4").layers["conv"].parameters["weight"].shape == (24, 96, 1, 1)
    large = build("efficientnet-b0", (224, 224, 3), width=0.25)
    assert [s.output_shape[0] for s in large.stages][:4] == [112, 112, 56, 56]


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [
        # torchvision's parameters at 1000 labels, 1000 of them biases of the head; million multiply-adds at 224
        ("convnext-tiny", 28_589_128, 4456),
        ("densenet121", 7_978_856, 2834),
        ("googlenet", 6_624_904, 1498),
        ("efficientnet-lite0", 4_652_008, 385),
        ("mobilenet-v2", 3_504_872, 301),
        ("mobilenet-v3-small", 2_542_856, 57),
        ("mobilenet-v3-large", 5_483_032, 217),
    ],
)
def test_published_networks_have_their_published_size(name, parameters, multiply_adds):
    network = nn.build(name, 1000, (224, 224, 3), rng=np.random.default_rng(0))
    assert n_parameters(network) == parameters - 1000
    assert round(sum(network.multiply_adds().values()) / 1e6) == multiply_adds


def test_stages_of_googlenet():
    network = build("googlenet", (64, 64, 3))
    assert [stage.output_shape[-1] for stage in network.stages[3:9]] == [64, 96, 128, 16, 32, 256]
    assert [stage.output_shape for stage in network.stages[:3]] == [(16, 16, 64), (16, 16, 64), (8, 8, 192)]
    assert list(network.stage("stage15").layers) == ["pool", "conv", "norm", "relu", "concat", "halved"]
    assert network.stage("stage15").inputs == {
        "pool": ("stage9",),
        "concat": ("stage10", "stage12", "stage14", "stage15.relu"),
    }
    assert network.stages[-1].output_shape == (1024,)


def test_projected_resnets_for_small_images():
    network = nn.build("resnet56-projected", 10, (32, 32, 3), rng=np.random.default_rng(0))
    assert n_parameters(network) == 855_770 - 10  # of chenyaofo's, but for the biases of the head
    assert len(network.stages) == 1 + 2 * 27 + 2


def test_stages_of_mobilenets():
    network = build("mobilenet-v2", width=0.25)
    shapes = [s.output_shape for s in network.stages]
    assert len(shapes) == 2 * 17 + 1
    assert shapes[:4] == [
        (16, 16, 8),
        (16, 16, 8),
        (8, 8, 24),
        (8, 8, 8),
    ]  # widths 8, 4 and 6, as multiples of 8
    inverted = ["conv", "norm", "relu6", "depthwise", "depthwise_norm", "depthwise_relu6"]
    assert list(network.stage("stage1").layers) == list(network.stage("stage3").layers) == inverted
    assert sum("sum" in s.layers for s in network.stages) == 10
    network = build("mobilenet-v3-large", width=0.25)
    assert network.stage("stage2").inputs["sum"] == ("stage2.norm", "stage1.hardswish")
    assert list(network.stage("stage7").layers)[-2:] == ["depthwise_relu", "squeeze"]
    assert list(network.stages[-1].layers) == ["linear", "hardswish"]
    assert network.classifier_is_probe


def test_efficientnet_of_other_width_and_depth():
    network = build("efficientnet-b0", width=0.25, depth=0.5, stochastic_depth=0.2)
    channels = [s.output_shape[-1] for s in network.stages]
    assert channels[1::2] == [8, 8, 8, 24, 24, 32, 32, 48, 48, 80]
    assert channels[0::2] == [8, 48, 48, 48, 144, 144, 192, 192, 288, 288, 320]
    drops = {n.name: n.layer.probability for n in network.nodes if n.name.endswith(".drop")}
    assert drops == {f"stage{2 * b + 2}.drop": pytest.approx(0.2 * b / 10) for b in (4, 6, 8)}
    inputs = {node.name: node.inputs for node in network.nodes}
    assert inputs["stage10.sum"] == ("stage10.drop", "stage8.norm")
    assert inputs["stage2.sum"] == ("stage2.norm", "stage1.silu")


def test_initial_weights_have_he_variance():
    weight = build("vgg11-10conv").parameters()["stage9.conv.weight"]
    # relative standard error of a variance from n Gaussian values: sqrt(2/n)
    error = 2 / (512 * 9) * np.sqrt(2 / weight.size)
    assert abs(weight.var() - 2 / (512 * 9)) < 4 * error


def test_input_too_small_for_the_pooling_names_the_stage():
    with pytest.raises(
        InputError,
        match=r"input of stage10.pool: expected shape \(H, W, C\) with H >= 2 and W >= 2, "
        r"found shape \(1, 1, 512\); use larger images or a network with fewer poolings",
    ):
        build("vgg11-10conv", (8, 8, 3))
    with pytest.raises(
        InputError, match=r"stage2.conv: expected .* H >= 5 and W >= 5, found shape \(4, 4, 6\)"
    ):
        build("lenet", (12, 12, 1))


def test_unknown_names_and_options():
    expected = (
        r"network: expected one of .*found 'vgg11'; vgg11-8conv is that of Simonyan .* vgg11-10conv, called"
    )
    with pytest.raises(InputError, match=expected):
        build("vgg11")
    with pytest.raises(InputError, match=r"network: expected one of .*found 'vgg12'; did you mean 'vgg1"):
        build("vgg12")
    with pytest.raises(
        InputError, match=r"classifier of lenet: expected 'linear', found 'hidden'; .*vgg6, vgg11-10conv"
    ):
        build("lenet", classifier="hidden")
    build("lenet", classifier="linear")  # the default of another network is accepted
    with pytest.raises(InputError, match=r"option of lenet: .*found 'depht'; did you mean 'depth'"):
        build("lenet", depht=0.5)
    with pytest.raises(InputError, match=r"classifier: expected one of hidden, linear, found 'hiden'"):
        build("vgg6", classifier="hiden")
    with pytest.raises(
        InputError, match=r"^depth of efficientnet-b0: expected above 0 and at most 1, found 2$"
    ):
        build("efficientnet-b0", depth=2)
    with pytest.raises(InputError, match=r"^stochastic_depth: expected at least 0 and below 1, found 1$"):
        build("efficientnet-b0", stochastic_depth=1)
    with pytest.raises(
        InputError, match=r"input_shape: expected \(H, W, C\), each at least 1, found \(32, 32\)"
    ):
        build("vgg11-10conv", (32, 32))
    with pytest.raises(InputError, match="expected n_labels >= 2 and width > 0, found 100 and 0"):
        build("vgg11-10conv", width=0)
