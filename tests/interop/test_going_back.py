"""What was imported goes back into the model that it came from, after its weights have changed."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.import_account import shape_of
from deeptheory.interop.reading import Units, find_network
from deeptheory.interop.state.going_back import Origin, tensors_back

torch = pytest.importorskip("torch")
models = pytest.importorskip("tests.interop.torch_models")
lite = pytest.importorskip("tests.interop.torch_lite")
from deeptheory.interop import torch as live  # noqa: E402
from tests.interop.test_reading_against_torch import TINY, TOLERANCE, difference  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


def imported(model, architecture, size, directory, units=None):
    """The imported network, trained on by other numbers, and where it is from."""
    torch.save(model.state_dict(), directory / "net")
    found = find_network(directory / "net", architecture, (size, size, 3), units)
    network, source, rng = found.network(), found.account.source, np.random.default_rng(1)
    for name, array in {**network.parameters(), **network.buffers()}.items():
        if array.dtype == np.float32:
            array *= rng.uniform(0.8, 1.2, array.shape).astype(np.float32)
            array += np.float32(0.01 * ("running_mean" in name))
    origin = Origin(
        source["architecture"],
        tuple(source["tensors"]),
        tuple(source["parameters"]),
        tuple(map(shape_of, source["shapes"])),
        source["norm_epsilon"],
        nn.blueprint_of(network),
    )
    return network, origin


@pytest.mark.parametrize("name", TINY)
def test_the_model_computes_what_the_network_computes(tmp_path, name):
    make, size = TINY[name]
    model = models.settled(make())
    network, origin = imported(model, name, size, tmp_path)
    assert difference(network, model, size) > 10 * TOLERANCE
    live.load_back(model, tensors_back(origin, network.state()))
    assert difference(network, model, size) < TOLERANCE


def test_another_epsilon_of_the_norms(tmp_path):
    make, size = TINY["vgg11-10conv"]
    model = models.settled(make(), epsilon=1e-2)
    network, origin = imported(model, "vgg11-10conv", size, tmp_path, Units(norm_epsilon=1e-2))
    live.load_back(model, tensors_back(origin, network.state()))
    assert difference(network, model, size) < TOLERANCE
    variances = {name: array for name, array in network.state().items() if name.endswith("running_var")}
    with pytest.raises(
        InputError, match=r"running_var': expected at least 0.00999, .* smaller --norm-epsilon"
    ):
        tensors_back(origin, {name: 0 * array for name, array in variances.items()})


def test_kernels_with_zeros_in_front(tmp_path):
    model = models.settled(lite.Lite0(0.25, 5), epsilon=1e-3)
    network, origin = imported(model, "efficientnet-lite0", 32, tmp_path)
    assert network.parameters()["stage1.conv.weight"].shape[2:] == (4, 4)
    state = network.state()
    live.load_back(model, tensors_back(origin, state))
    assert difference(network, model, 32) < TOLERANCE
    weight = "stage1.conv.weight"
    mask = np.broadcast_to(
        (np.arange(state[weight].shape[0]) % 2 == 0)[:, None, None, None], state[weight].shape
    )
    (back,) = tensors_back(origin, {weight: mask}).values()
    np.testing.assert_array_equal(back, mask[:, :, 1:, 1:])
    state[weight][0, 0, 0, 0] = 1
    expected = rf"'{weight}': expected zeros in the first row and column of its kernels, found other weights"
    with pytest.raises(InputError, match=expected):
        tensors_back(origin, state)


def test_positions_before_adaptive_pooling(tmp_path):
    model = models.settled(models.VGG(models.OURS["vgg11-8conv"], 0.01, 3))
    network, origin = imported(model, "vgg11-8conv", 96, tmp_path)  # 3 x 3 positions
    live.load_back(model, tensors_back(origin, network.state()))
    assert difference(network, model, 96) < TOLERANCE
    weight = "stage9.linear.weight"
    shape = network.parameters()[weight].shape
    filters = np.repeat(np.arange(shape[1] // 9) % 2 == 0, 9)
    (back,) = tensors_back(origin, {weight: np.broadcast_to(filters, shape)}).values()
    np.testing.assert_array_equal(back[0], np.repeat(filters[::9], 49))
    with pytest.raises(InputError, match=rf"mask of '{weight}': expected one mask .* found masks of single"):
        tensors_back(origin, {weight: np.arange(np.prod(shape)).reshape(shape) % 2 == 0})
    network, origin = imported(model, "vgg11-8conv", 256, tmp_path)  # 8 x 8, trained apart
    with pytest.raises(
        InputError, match=rf"'{weight}': expected weights that .* found others, trained at 8 x 8"
    ):
        tensors_back(origin, network.state())


@pytest.mark.parametrize("name", ["vgg11_bn", "resnet20-centred"])
def test_masks_hold_in_the_model(tmp_path, name):
    make, size = TINY[name]
    model = models.settled(make())
    network, origin = imported(model, name, size, tmp_path)
    rng, parameters = np.random.default_rng(2), network.parameters()
    masks = {}
    for weight, array in parameters.items():
        if array.ndim > 1 and weight.startswith(("stage6", "stage9", "stage10", "head")):
            masks[weight] = rng.uniform(size=array.shape) < 0.5
            array *= masks[weight]
    back = tensors_back(origin, masks)
    live.load_back(torch.nn.DataParallel(model), tensors_back(origin, network.state()), back)
    assert difference(network, model, size) < TOLERANCE
    assert live.masks_of(model).keys() == back.keys()
    assert len(back) == len(masks)
    live.load_back(model, tensors_back(origin, network.state()))  # a masked model takes tensors as well
    assert difference(network, model, size) < TOLERANCE


def test_another_model_is_refused_and_left_as_it_is():
    model = torch.nn.Linear(3, 2)
    before = model.weight.detach().clone()
    state = {name: tensor.numpy() + 1 for name, tensor in model.state_dict().items()}
    for tensors, text in (
        ({**state, "head": np.zeros(2)}, "tensors that the model lacks: expected none, found 'head'"),
        ({"weight": state["weight"]}, "missing tensors: expected none, found 'bias'; take the model that"),
        ({**state, "bias": np.zeros(3)}, r"tensor 'bias': expected shape \(2,\), found shape \(3,\)"),
    ):
        with pytest.raises(InputError, match=text):
            live.load_back(model, tensors)
    assert torch.equal(model.weight, before)
