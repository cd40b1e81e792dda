"""Tensors are matched by name, then shape; what does not fit is all named."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.state import naming
from deeptheory.interop.state.architecture_files import write_architecture
from deeptheory.interop.state.architectures import ARCHITECTURES, find_architecture
from deeptheory.interop.state.conversion import converted, in_single_precision, standardised
from deeptheory.interop.state.matching import match
from tests.interop.networks import NETWORKS, images_for, small

SHAPE = (16, 16, 3)
OURS = [name for name in NETWORKS if name != "efficientnet-b0"]  # that is of another depth there


@pytest.fixture(autouse=True)
def _threads(one_thread):
    """Tiny networks on one thread."""


def matched(name, tensors, shape=SHAPE):
    return match(find_architecture(name, tensors, shape), tensors, shape)


def refusal(name, tensors, shape=SHAPE):
    with pytest.raises(InputError) as refused:
        matched(name, tensors, shape).require_complete("net.pt")
    text = str(refused.value)
    assert "\n" not in text
    return text


def torch_names(network):
    """The state of a small vgg6 by the names of torchvision."""
    names = naming.named(nn.blueprint_of(network), naming.vgg_names(nn.blueprint_of(network)))
    return {names[name]: array for name, array in network.state().items()}


@pytest.mark.parametrize("name", OURS)
def test_our_own_names_give_the_same_bits(name):
    network = small(name)
    state, shape = network.state(), network.input_shape
    found = matched(name.removesuffix("-hidden"), dict(reversed(state.items())), shape)
    assert found.complete
    again = converted(found, state)
    assert list(again.state()) == list(state)
    assert [node.inputs for node in again.nodes] == [node.inputs for node in network.nodes]
    x = images_for(network)
    np.testing.assert_array_equal(again.infer(x), network.infer(x))


@pytest.mark.parametrize("name", NETWORKS)
def test_an_architecture_file_with_our_names(tmp_path, name):
    network = small(name)
    write_architecture(tmp_path / "net.toml", network)
    state = network.state()
    found = matched(str(tmp_path / "net.toml"), state, network.input_shape)
    x = images_for(network)
    np.testing.assert_array_equal(converted(found, state).infer(x), network.infer(x))
    without = {array: value for array, value in state.items() if not array.endswith(("seed", "counter"))}
    again = converted(matched(str(tmp_path / "net.toml"), without, network.input_shape), without)
    np.testing.assert_array_equal(again.infer(x), network.infer(x))


def test_an_architecture_file_in_the_order_of_names(tmp_path):
    network = small("vgg6")
    write_architecture(tmp_path / "net.toml", network)
    tensors = {f"net.{name}": array for name, array in torch_names(network).items()}
    found = matched(str(tmp_path / "net.toml"), tensors)
    assert (found.complete, found.naming) == (True, "natural order")
    x = images_for(network)
    np.testing.assert_array_equal(converted(found, tensors).infer(x), network.infer(x))


def test_an_architecture_file_for_other_images_is_refused(tmp_path):
    network = small("vgg6")
    write_architecture(tmp_path / "net.toml", network)
    with pytest.raises(InputError, match=r"input_shape of .*net.toml: expected \(32, 32, 3\), the shape of"):
        find_architecture(str(tmp_path / "net.toml"), network.state(), (32, 32, 3))


def test_a_bias_in_an_architecture_file_is_folded_only_where_nothing_else_reads(tmp_path):
    network = small("vgg6")
    write_architecture(tmp_path / "net.toml", network)
    state = network.state()
    state["stage2.conv.bias"] = np.linspace(-1, 1, len(state["stage2.conv.weight"]), dtype=np.float32)
    found = converted(matched(str(tmp_path / "net.toml"), state), state)
    assert "stage2.conv.bias" not in found.parameters()
    network.buffers()["stage2.norm.running_mean"] = (
        state["stage2.norm.running_mean"] - state["stage2.conv.bias"]
    )
    x = images_for(network)
    np.testing.assert_array_equal(found.infer(x), network.infer(x))


def test_numbers_count_by_their_value():
    names = ["features.10", "features.9", "b2", "b10", "layer1.0.conv2", "conv1", "layer1.0.conv1"]
    assert naming.natural(names) == [
        "b2", "b10", "conv1", "features.9", "features.10", "layer1.0.conv1", "layer1.0.conv2",
    ]  # fmt: skip


def test_everything_that_does_not_fit_is_named():
    tensors = torch_names(small("vgg6"))
    tensors["feature.0.weight"] = tensors.pop("features.0.weight")
    del tensors["features.5.running_var"]
    tensors["features.8.weight"] = np.zeros((3, 3, 3, 3), np.float32)
    tensors["ema.weight"] = np.zeros(3, np.float32)
    tensors["features.1.num_batches_tracked"] = np.array(3)
    text = refusal("vgg6", tensors)
    assert text.startswith("net.pt: expected the tensors of vgg6 by the names of torchvision, found ")
    assert "5 convolutions, 6 norms, 1 linear layer" in text
    assert "missing: 'features.0.weight' (nearest: 'feature.0.weight'), 'features.5.running_var'" in text
    assert "extra: 'feature.0.weight', 'ema.weight'" in text
    n_in, n_out = tensors["features.5.bias"].size, tensors["features.9.bias"].size
    assert f"of another shape: 'features.8.weight' (3, 3, 3, 3), not ({n_out}, {n_in}, 3, 3)" in text
    assert text.endswith("or describe the network in a TOML file")
    assert "num_batches" not in text


@pytest.mark.parametrize("name", ["features.1.bias", "features.1.running_mean", "classifier.weight"])
def test_one_tensor_of_a_wrong_shape_is_the_one_that_is_blamed(name):
    tensors = torch_names(small("vgg6"))
    shape = tensors[name].shape
    tensors[name] = np.zeros((*shape[:-1], shape[-1] + 2), np.float32)
    text = refusal("vgg6", tensors)
    assert f"of another shape: '{name}' {tensors[name].shape}, not {shape};" in text
    assert text.count(", not ") == 1


def test_whole_numbers_are_no_weights():
    tensors = torch_names(small("vgg6"))
    tensors["features.1.bias"] = tensors["features.1.bias"].astype(np.int8)
    assert "'features.1.bias'" in refusal("vgg6", tensors)


def test_a_file_of_another_network_says_what_it_has():
    text = refusal("resnet20", torch_names(small("vgg6")), (32, 32, 3))
    assert "found 5 convolutions, 5 norms, 1 linear layer; missing: " in text


def test_images_that_are_too_small_or_of_other_colours():
    tensors = torch_names(small("vgg6"))
    assert "'features.0.weight' (4, 3, 3, 3), not (4, 1, 3, 3)" in refusal("vgg6", tensors, (16, 16, 1))
    with pytest.raises(InputError, match="use larger images or a network with fewer poolings"):
        matched("vgg6", tensors, (8, 8, 3))


@pytest.mark.parametrize(("name", "near"), [("vgg11bn", "vgg11_bn"), ("resnet-20", "resnet20")])
def test_an_unknown_architecture_names_the_nearest(name, near):
    with pytest.raises(InputError, match=rf"--architecture: expected one of .*FILE.toml.*'{near}'"):
        find_architecture(name, {}, SHAPE)


def test_every_architecture_lists_all_of_its_tensors_when_there_are_none():
    for name in ARCHITECTURES:
        found = matched(name, {}, (32, 32, 3))
        assert len(found.missing) >= 5
        assert (found.pairs, found.extra) == ((), ())


def test_an_unsuitable_pixel_scale_is_refused():
    network = small("vgg6")
    with pytest.raises(InputError, match=r"--mean: expected 3 numbers, one for each channel, found 0.5,0.4"):
        standardised(network, (0.5, 0.4), (0.2, 0.2, 0.2))
    with pytest.raises(InputError, match="deviations above 0"):
        standardised(network, (0.5,), (0.0,))
    with pytest.raises(InputError, match="--mean: expected a network without means of its own"):
        standardised(standardised(network, (0.5,), (0.2,)), (0.5,), (0.2,))


def test_double_precision_is_rounded():
    double, single = small("vgg6", np.float64), small("vgg6")
    found = in_single_precision(double)
    assert found.dtype == np.float32
    x = images_for(single)
    np.testing.assert_allclose(found.infer(x), double.infer(x.astype(np.float64)), rtol=1e-4, atol=1e-5)


def test_pixels_are_standardised_wherever_they_enter():
    network = small("resnet20")
    first, second, *others = network.stages
    inputs = {"conv": ("input",)}  # as if the second stage read the images too
    layers = {**second.layers, "conv": first.layers["conv"]}
    stages = [first, nn.Stage(second.name, layers, (), inputs), *others, network.head]
    made = standardised(nn.assemble(stages, network.input_shape, np.float32), (0.5,), (0.25,))
    assert {node.name: node.inputs for node in made.nodes}["stage2.conv"] == ("stage1.standardise",)


def test_missing_tensors_without_which_layers_do_not_fit_together_are_named():
    text = refusal("tf_efficientnet_lite0", {"bn1.weight": np.ones(4, np.float32)}, (32, 32, 3))
    assert text.startswith("tensors: expected those of tf_efficientnet_lite0 by the names of timm")
    assert "missing, the first is 'conv_stem.weight'; name another --architecture" in text
