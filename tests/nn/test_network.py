"""Access to the internals of a network, and its gradients as a whole."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError


@pytest.fixture
def network():
    return nn.build("vgg6", 3, (16, 16, 1), width=1 / 32, rng=np.random.default_rng(0), dtype=np.float64)


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal((4, 16, 16, 1))


def test_every_name_can_be_tapped(network, x):
    names = [s.name for s in network.stages] + [
        f"{s.name}.{layer}" for s in (*network.stages, network.head) for layer in s.layers
    ]
    logits, internals = network.forward(x, taps=names)
    assert set(internals) == set(names)
    np.testing.assert_array_equal(internals["head.linear"], logits)
    for stage in network.stages:
        assert internals[stage.name].shape == (4, *stage.output_shape)
        norm, relu = internals[f"{stage.name}.norm"], internals[f"{stage.name}.relu"]
        np.testing.assert_array_equal(relu, np.maximum(norm, 0))
        assert (norm < 0).any()
        last = list(stage.layers)[-1]
        np.testing.assert_array_equal(internals[stage.name], internals[f"{stage.name}.{last}"])
    gradients = network.backward(np.ones_like(logits), taps=names)
    assert {n: g.shape for n, g in gradients.items()} == {n: a.shape for n, a in internals.items()}


def test_taps_stay_after_the_next_forward(network, x):
    logits, internals = network.forward(x, taps=["stage1.conv"])
    kept, kept_logits = internals["stage1.conv"].copy(), logits.copy()
    network.forward(x + 1, taps=["stage1.conv"])
    np.testing.assert_array_equal(internals["stage1.conv"], kept)
    np.testing.assert_array_equal(logits, kept_logits)


def test_unknown_names_are_refused_with_the_nearest(network, x):
    with pytest.raises(
        InputError, match=r"tap: expected one of .*found 'stage3.cov'; did you mean 'stage3.conv'"
    ):
        network.forward(x, taps=["stage3.cov"])
    with pytest.raises(InputError, match=r"stage: expected one of .*found 'stage9'; did you mean 'stage"):
        network.stage("stage9")
    with pytest.raises(InputError, match=r"parameter: .*did you mean 'stage1.conv.weight'"):
        network.parameters()["stage1.conv.weights"]


def test_wrong_images_are_refused(network):
    with pytest.raises(
        InputError, match=r"images: expected shape \(N, 16, 16, 1\), found shape \(4, 8, 8, 1\)"
    ):
        network.forward(np.zeros((4, 8, 8, 1)))
    with pytest.raises(
        InputError, match=r"expected floats in \[-1, 1\], found uint8; use deeptheory.data.augmentation.scale"
    ):
        network.forward(np.zeros((4, 16, 16, 1), np.uint8))


def test_backward_needs_forward(network):
    with pytest.raises(InputError, match="backward: expected a forward pass before it"):
        network.backward(np.ones((4, 3)))


def test_gradients_of_a_whole_network(network, x, assert_gradients):
    labels = np.array([0, 1, 2, 1])
    logits, _ = network.forward(x, training=True)
    _, dlogits = nn.softmax_cross_entropy(logits, labels)
    network.backward(dlogits)

    def loss():
        return nn.softmax_cross_entropy(network.forward(x, training=True)[0], labels)[0]

    assert_gradients(network, loss, np.random.default_rng(5), relative=2e-5)


@pytest.mark.parametrize("name", ["vgg6", "resnet20"])
def test_gradients_of_some_stages_are_the_same_to_the_bit_and_nothing_below_is_computed(name):
    rng = np.random.default_rng(6)
    network = nn.build(name, 3, (16, 16, 1), width=0.5, rng=rng)
    images = rng.standard_normal((6, 16, 16, 1)).astype(np.float32)
    dlogits = rng.standard_normal((6, 3)).astype(np.float32)
    network.forward(images, training=True)
    network.backward(dlogits)
    whole = {key: gradient.copy() for key, gradient in network.gradients().items()}
    names = [stage.name for stage in network.stages] + ["head"]
    for wanted in (names[-1:], names[3:5], [names[2], names[-1]]):
        network.forward(images, training=True)
        for gradient in network.gradients().values():
            gradient[...] = np.nan
        network.backward(dlogits, stages=wanted)
        of_stages = network.gradients(wanted)
        assert of_stages.keys() == network.parameters(wanted).keys()
        assert {key.split(".")[0] for key in of_stages} == set(wanted)
        for key, gradient in of_stages.items():
            np.testing.assert_array_equal(gradient, whole[key], err_msg=f"{key} for {wanted}")
        below = network.gradients(names[: names.index(wanted[0])])
        assert all(np.isnan(gradient).all() for gradient in below.values())


def test_gradients_of_a_stage_that_does_not_exist(network, x):
    logits, _ = network.forward(x)
    with pytest.raises(InputError, match=r"stage: expected one of head, stage1.*found 'stage6'"):
        network.backward(logits, stages=["stage6"])


def test_gradient_of_an_internal(network, x):
    logits, _ = network.forward(x)
    head = network.parameters()["head.linear.weight"]
    gradient = network.backward(np.ones_like(logits), taps=["stage5"])["stage5"]
    # At one position, the gradient of the sum of all logits is the sum of the head's rows.
    np.testing.assert_allclose(gradient.reshape(4, -1), np.tile(head.sum(axis=0), (4, 1)))


def test_replaced_parameters_take_effect(network, x):
    parameters = network.parameters()
    old = parameters["head.linear.weight"]
    before, _ = network.forward(x)
    parameters["head.linear.weight"] = 2 * old
    np.testing.assert_array_equal(network.forward(x)[0], 2 * before)
    parameters["head.linear.weight"] = old
    np.testing.assert_array_equal(network.forward(x)[0], before)
    network.buffers()["stage1.norm.running_mean"] = np.array([0.5, -0.5])
    assert not np.array_equal(network.forward(x)[0], before)


def test_parameters_of_another_shape_or_type_are_refused(network):
    parameters = network.parameters()
    with pytest.raises(
        InputError,
        match=r"stage1.conv.weight: expected float64 array of shape \(2, 1, 3, 3\), "
        r"found float32 array of shape \(2,\)",
    ):
        parameters["stage1.conv.weight"] = np.ones(2, np.float32)
    with pytest.raises(TypeError, match="cannot be deleted"):
        del parameters["stage1.conv.weight"]


def test_state_is_copied_and_loaded_whole_or_not_at_all(network, x):
    state = network.state()
    before, _ = network.forward(x)
    network.forward(x, training=True)
    network.parameters()["stage1.conv.weight"] *= 3
    network.load_state(state)
    np.testing.assert_array_equal(network.forward(x)[0], before)
    with pytest.raises(
        InputError, match=r"state: expected an array for each of 26 names, found no 'stage1.conv.weight'"
    ):
        network.load_state({k: v for k, v in state.items() if k != "stage1.conv.weight"})
    with pytest.raises(InputError, match=r"stage5.norm.bias: expected float64 array of shape \(16,\)"):
        network.load_state({name: 2 * a for name, a in state.items()} | {"stage5.norm.bias": np.ones(3)})
    np.testing.assert_array_equal(network.forward(x)[0], before)


def test_internals_are_those_of_forward_and_leave_nothing_to_go_back_through(network, x):
    taps = ["stage1.conv", "stage2"]
    _, expected = network.forward(x, taps=taps)
    found = network.internals(x, taps)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
    with pytest.raises(InputError, match="expected a forward pass before it"):
        network.backward(np.zeros((len(x), network.n_labels)))
    with pytest.raises(InputError, match=r"found 'stage1\.cnov'; did you mean 'stage1\.conv'"):
        network.internals(x, ["stage1.cnov"])
