"""Networks from blueprints and sizes: those of the package again, to the bit, and what is refused."""

import copy

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.state.architecture_files import read_sized, write_architecture

NETWORKS = {
    "vgg6": {"classifier": "hidden"},
    "lenet": {},
    "resnet20": {},
    "efficientnet-b0": {"depth": 0.3, "stochastic_depth": 0.2},
    "cct": {"blocks": 2, "heads": 1, "conv_layers": 2, "dropout": 0.1, "stochastic_depth": 0.2},
    "vit-tiny": {"blocks": 1, "heads": 2},
    "text-transformer": {"blocks": 1, "heads": 1, "words": 9, "hidden_ratio": 2, "dropout": 0.1},
}


def small():
    """A branch that comes together again, a layer that is read twice, widths of their own."""
    convs = [["conv", "Conv2d", {"groups": 1, "stride": 1, "padding": 1}] for _ in range(3)]
    stages = [
        {"name": "stage1", "layers": [convs[0], ["norm", "BatchNorm2d", {}]], "inputs": {}},
        {"name": "left", "layers": [convs[1]], "inputs": {}},
        {"name": "right", "layers": [convs[2], ["sum", "Sum", {}]],
         "inputs": {"conv": ("stage1",), "sum": ("right.conv", "left", "stage1.norm")}},
        {"name": "head", "layers": [["flatten", "Flatten", {}], ["linear", "Linear", {}]], "inputs": {}},
    ]  # fmt: skip
    sizes = {
        "stage1.conv": {"filters": 6, "size": 3},
        "left.conv": {"filters": 6, "size": 3, "bias": True},
        "right.conv": {"filters": 6, "size": [3, 3]},
    }
    return {"dtype": "float32", "input_shape": (8, 8, 1), "stages": stages}, sizes


def build(description, sizes, n_labels=5):
    return nn.build_sized(description, sizes, n_labels, np.random.default_rng(0))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_is_written_is_built_again_to_the_bit(name, tmp_path):
    shape = (6, 1, 1) if name == "text-transformer" else (16, 16, 3)
    network = nn.build(name, 4, shape, 0.05, rng=np.random.default_rng(3), **NETWORKS[name])
    nn.reinitialise(network, np.random.default_rng(0))
    write_architecture(tmp_path / "network.toml", network)
    again = build(*read_sized(tmp_path / "network.toml"), 4)
    assert nn.blueprint_of(again) == nn.blueprint_of(network)
    state, expected = again.state(), network.state()
    assert state.keys() == expected.keys()
    for key in state:
        np.testing.assert_array_equal(state[key], expected[key])


def test_branches_are_summed_and_trained():
    network = build(*small())
    x = np.random.default_rng(1).uniform(-1, 1, (3, 8, 8, 1)).astype(np.float32)
    logits, shown = network.forward(x, taps=("stage1", "left", "right.conv", "right"), training=True)
    total = shown["right.conv"] + shown["left"] + shown["stage1"]
    np.testing.assert_allclose(shown["right"], total, rtol=1e-6, atol=1e-6)
    network.backward(logits)
    assert all(np.any(gradient) for gradient in network.gradients().values())


def changed(description, sizes, change):
    description, sizes = copy.deepcopy(description), copy.deepcopy(sizes)
    change(description["stages"], sizes)
    return description, sizes


def layer_of(stages, name):
    (found,) = [stage["layers"][0] for stage in stages if stage["name"] == name]
    return found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda stages, sizes: sizes.clear(), "Conv2d stage1.conv: expected its size, found none; add"),
        (lambda stages, sizes: sizes["stage1.conv"].pop("filters"), "expected its filters"),
        (lambda stages, sizes: stages.pop(), r"last stage: expected 'head'.*found 'right'"),
        (lambda stages, sizes: stages.reverse(), r"last stage: expected 'head', and no other.*'head'"),
        (
            lambda stages, sizes: stages[0]["layers"].pop(0),
            "layers of stage1: expected one layer called conv",
        ),
        (lambda stages, sizes: stages[1]["layers"].append(["linear", "Linear", {}]), "found conv, linear"),
        (lambda stages, sizes: stages[1]["inputs"].update(conv=("s",)), r"input of left.conv: .*'s'"),
        (lambda stages, sizes: sizes["left.conv"].update(filters=5), "of right.sum: expected the same shape"),
        (
            lambda stages, sizes: layer_of(stages, "left")[2].update(groups=4),
            "groups of left.conv: expected a",
        ),
        (
            lambda stages, sizes: sizes.update({"head.linear": {"nodes": 7}}),
            "outputs of the head: expected 5",
        ),
        (lambda stages, sizes: sizes["left.conv"].update(filters=2**31 - 1), "network: expected at most"),
        (lambda stages, sizes: layer_of(stages, "left").__setitem__(1, "SparseConv2d"), "can be trained"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(change, words):
    with pytest.raises(InputError, match=words):
        build(*changed(*small(), change))
