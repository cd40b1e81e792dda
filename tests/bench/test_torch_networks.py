"""The twin computes what our network computes: logits, gradients and running statistics."""

import io

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError

torch = pytest.importorskip("torch")

from deeptheory.bench.torch_networks import counterpart, torch_twin  # noqa: E402

DTYPE = np.float64


def conv(n_in, n_out, size=3, padding=1, **options):
    return nn.Conv2d(
        n_in, n_out, size, padding=padding, rng=np.random.default_rng(n_in), dtype=DTYPE, **options
    )


def everything():
    """One block of every kind, with a residual sum whose shortcut is read twice."""
    rng = np.random.default_rng(5)
    first = {"conv": conv(3, 6), "norm": nn.BatchNorm2d(6, DTYPE), "silu": nn.SiLU()}
    second = {
        "depthwise": conv(6, 6, groups=6),
        "norm": nn.BatchNorm2d(6, DTYPE),
        "squeeze": nn.SqueezeExcitation(6, 2, rng=rng, dtype=DTYPE),
        "project": conv(6, 6, size=1, padding=0, bias=True),
        "depth": nn.StochasticDepth(0.0, rng=rng),
        "sum": nn.Sum(),
        "hard_squeeze": nn.HardSqueezeExcitation(6, 2, rng=rng, dtype=DTYPE),
        "hardswish": nn.HardSwish(),
        "relu6": nn.ReLU6(),
        "scale": nn.LayerScale(6, DTYPE),
        "layer_norm": nn.LayerNorm(6, dtype=DTYPE),
        "gelu": nn.GELU(),
        "tanh_gelu": nn.TanhGELU(),
        "relu": nn.ReLU(),
    }
    third = {
        "conv": conv(6, 8, stride=2),
        "norm": nn.BatchNorm2d(8, DTYPE),
        "kept": nn.Subsample(6),
        "shortcut": nn.Subsample(8),
        "sum": nn.Sum(),
        "concat": nn.Concat(),
        "merge": conv(14, 8, size=1, padding=0),
        "pool": nn.AvgPool2d(2),
    }
    inputs = {
        "kept": ("stage2",),
        "shortcut": ("stage2",),
        "sum": ("stage3.norm", "stage3.shortcut"),
        "concat": ("stage3.sum", "stage3.kept"),
    }
    stages = [
        nn.Stage("stage1", first, (8, 8, 6)),
        nn.Stage("stage2", second, (8, 8, 6), {"sum": ("stage2.depth", "stage1")}),
        nn.Stage("stage3", third, (2, 2, 8), inputs),
    ]
    linear = nn.Linear(8, 4, bias=True, rng=rng, dtype=DTYPE)
    head = nn.Stage("head", {"pool": nn.GlobalAveragePool(), "linear": linear}, (4,))
    return nn.Network(stages, head, (8, 8, 3), DTYPE)


def built(name):
    classifier = "hidden" if name == "vgg6" else "linear"
    rng = np.random.default_rng(0)
    return nn.build(name, 4, (16, 16, 3), width=1 / 16, rng=rng, dtype=DTYPE, classifier=classifier)


NETWORKS = {
    "everything": everything,
    **{
        name: lambda name=name: built(name)
        for name in ("vgg6", "lenet", "mlp", "resnet20", "efficientnet-b0", "cct", "vit-tiny")
    },
}


def batch(network, n=5):
    rng = np.random.default_rng(1)
    return rng.uniform(-1, 1, (n, *network.input_shape)).astype(network.dtype), rng.integers(0, 4, n)


def as_torch(x):
    return torch.from_numpy(x.transpose(0, 3, 1, 2).copy())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_step_and_the_evaluation_after_it_agree(name):
    network = NETWORKS[name]()
    for array in network.parameters().values():  # no weight is at a value that could hide an error
        array += np.random.default_rng(array.size).normal(0, 0.1, array.shape)
    twin = torch_twin(network)
    x, labels = batch(network)
    logits, _ = network.forward(x, training=True)
    network.backward(nn.softmax_cross_entropy(logits, labels)[1])
    theirs = twin(as_torch(x))
    torch.nn.functional.cross_entropy(theirs, torch.from_numpy(labels)).backward()
    np.testing.assert_allclose(logits, theirs.detach().numpy(), rtol=1e-9, atol=1e-11)
    found = dict(twin.named_parameters())
    assert found.keys() == network.parameters().keys()
    for key, gradient in network.gradients().items():  # PyTorch's hard sigmoid has 1/6 in single precision
        np.testing.assert_allclose(gradient, found[key].grad.numpy(), rtol=1e-7, atol=1e-9, err_msg=key)
    evaluated = twin.eval()(as_torch(x)).detach().numpy()
    np.testing.assert_allclose(network.forward(x)[0], evaluated, rtol=1e-9, atol=1e-11)


def test_in_single_precision_and_both_memory_formats():
    network = nn.build("vgg6", 4, (16, 16, 3), width=1 / 8, rng=np.random.default_rng(0))
    x, _ = batch(network)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        twin = torch_twin(network).eval().to(memory_format=memory_format)
        found = twin(as_torch(x).to(memory_format=memory_format)).detach().numpy()
        assert found.dtype == np.float32
        np.testing.assert_allclose(network.forward(x)[0], found, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("until", ["stage2", "stage2.norm", "stage3.shortcut"])
def test_it_stops_after_a_layer_or_a_stage(until):
    network = everything()
    x, _ = batch(network)
    expected = network.internals(x, [until])[until].transpose(0, 3, 1, 2)
    found = torch_twin(network, until).eval()(as_torch(x)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


def test_it_survives_a_file_and_its_code_has_one_line_per_layer():
    network = everything()
    x, _ = batch(network)
    file = io.BytesIO()
    torch.save(torch_twin(network), file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    np.testing.assert_allclose(network.forward(x)[0], loaded.eval()(as_torch(x)).detach().numpy(), rtol=1e-9)
    lines = [line for line in loaded.code.splitlines() if " = " in line]
    assert len(lines) == len(network.nodes)
    assert ".add_(" in loaded.code


def test_weights_are_copies():
    network = built("lenet")
    twin = torch_twin(network)
    before = network.state()
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert all(np.array_equal(array, network.state()[name]) for name, array in before.items())


def test_stochastic_depth_drops_whole_inputs_in_training_only():
    module = counterpart(nn.StochasticDepth(0.5, rng=np.random.default_rng(0)), False)
    x = torch.ones(400, 2, 3, 3)
    torch.manual_seed(0)
    values = module(x).reshape(400, -1)
    assert set(values.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(values.min(1).values, values.max(1).values)
    assert 0.4 < values[:, 0].mean() / 2 < 0.6
    assert torch.equal(module.eval()(x), x)


def test_unknown_layers_and_names_are_refused():
    with pytest.raises(
        InputError, match="layer: expected one that has a counterpart in PyTorch, found Layer"
    ):
        counterpart(nn.Layer(), False)
    with pytest.raises(InputError, match=r"layer or stage: expected one of .*; did you mean 'stage2.conv'\?"):
        torch_twin(built("lenet"), "stage2.con")
