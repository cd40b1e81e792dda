"""Networks whose layers are computed together show and compute what their layers do one by one."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.fusion import Block
from deeptheory.system import instructions
from deeptheory.system.compiled import JIT

NETWORKS = {
    "vgg11-10conv": {"width": 0.25, "input_shape": (16, 16, 3)},
    "resnet20": {"width": 1, "input_shape": (8, 8, 3)},
    "efficientnet-b0": {"width": 0.5, "input_shape": (16, 16, 3), "depth": 0.3},
}


@pytest.fixture(params=NETWORKS)
def network(request):
    return build(request.param)


def build(name):
    made = nn.build(name, 5, **NETWORKS[name], rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    for array in made.buffers().values():
        if array.dtype == np.float32:
            array += rng.uniform(0, 0.2, array.shape).astype(np.float32)
    return made


@pytest.fixture
def x(network):
    return np.random.default_rng(2).standard_normal((6, *network.input_shape), np.float32)


def training_step(network, x, taps):
    """Logits, internals, gradients of internals and of parameters, and buffers; the network is left as it was."""
    before = network.state()
    logits, internals = network.forward(x, taps=taps, training=True)
    buffers = {name: buffer.copy() for name, buffer in network.buffers().items()}
    dlogits = np.random.default_rng(3).standard_normal(logits.shape, np.float32)
    dinternals = network.backward(dlogits, taps=taps)
    gradients = {name: gradient.copy() for name, gradient in network.gradients().items()}
    network.load_state(before)
    return logits, internals, dinternals, gradients, buffers


def assert_close(found, expected, tolerance, least=0.0):
    """Relative to the largest value of each array, or to `least` where that is more."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert np.abs(found[name] - array).max() <= tolerance * max(np.abs(array).max(), least), name


def test_taps_inside_blocks_change_nothing(network, x):
    ends = [step.nodes[-1].name for step in network.steps]
    every = [node.name for node in network.nodes]
    logits, internals, dinternals, gradients, buffers = training_step(network, x, ends)
    assert internals.keys() == dinternals.keys() == set(ends)
    found, more_internals, more_dinternals, more_gradients, more_buffers = training_step(network, x, every)
    assert more_internals.keys() == more_dinternals.keys() == set(every)
    np.testing.assert_array_equal(found, logits)
    for name in ends:
        np.testing.assert_array_equal(more_internals[name], internals[name], err_msg=name)
    # Backwards the layers of a tapped block are taken one by one: 1e-5 seen. A bias before batch norm has none.
    assert_close({name: more_dinternals[name] for name in ends}, dinternals, 3e-5)
    assert_close(more_gradients, gradients, 3e-5, least=1)
    for name, buffer in buffers.items():
        np.testing.assert_array_equal(more_buffers[name], buffer, err_msg=name)


@pytest.mark.parametrize("tapped", [False, True])
def test_a_training_step_moves_running_statistics_once(network, x, tapped):
    every, before = [node.name for node in network.nodes], network.state()
    _, internals, _, _, buffers = training_step(network, x, every)
    if not tapped:
        _, _, _, _, buffers = training_step(network, x, ())
    norms = [node for node in network.nodes if isinstance(node.layer, nn.BatchNorm2d)]
    assert norms
    for node in norms:
        rows = internals[node.inputs[0]].reshape(-1, internals[node.name].shape[-1]).astype(np.float64)
        for name, value in (("running_mean", rows.mean(axis=0)), ("running_var", rows.var(axis=0, ddof=1))):
            name = f"{node.name}.{name}"
            expected = 0.9 * before[name] + 0.1 * value
            np.testing.assert_allclose(buffers[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)


def test_one_input_in_training_is_refused_and_moves_nothing(network, x):
    before = network.state()
    norm = next(node.name for node in network.nodes if isinstance(node.layer, nn.BatchNorm2d))
    with pytest.raises(InputError) as error:
        network.forward(x[:1], training=True)
    assert str(error.value) == (
        f"{norm}, batch in training mode: expected at least 2 inputs, found 1; "
        "batch norm needs a spread to divide by"
    )
    assert all(np.array_equal(before[name], array) for name, array in network.state().items())
    assert np.isfinite(network.forward(x[:1])[0]).all()


def test_inference_is_the_forward_pass_out_of_training(network, x):
    logits, internals = network.forward(x, taps=[stage.name for stage in network.stages])
    scale = np.abs(logits).max()
    np.testing.assert_allclose(network.infer(x), logits, rtol=1e-4, atol=1e-5 * scale)
    assert_close(network.internals(x, list(internals)), internals, 1e-5)


def test_networks_have_blocks(network):
    blocks = [step for step in network.steps if isinstance(step.layer, Block)]
    if instructions.vectors() == "plain" or not JIT:
        assert not blocks
    else:
        assert len(blocks) > 5


@pytest.mark.parametrize("stage", ["stage5", "stage9"])  # the second with a layer on its shortcut
def test_sums_and_their_activations_are_in_blocks(stage):
    if instructions.vectors() != "plain" and JIT:
        steps = {step.nodes[0].name: step for step in build("resnet20").steps}
        found = [node.name for node in steps[f"{stage}.conv"].nodes]
        assert found == [f"{stage}.{key}" for key in ("conv", "norm", "sum", "relu")]


def test_a_shortcut_between_two_layers_of_a_branch_leaves_their_gradient_alone():
    """It is computed between them, in the memory that gradients share."""
    gradients = {}
    for dtype in (np.float32, np.float64):
        rng = np.random.default_rng(0)
        network = nn.build("resnet18", 5, (16, 16, 1), 0.25, rng=rng, dtype=dtype)
        logits, _ = network.forward(rng.uniform(-1, 1, (20, 16, 16, 1)).astype(dtype), training=True)
        network.backward(nn.softmax_cross_entropy(logits, np.arange(20) % 5)[1])
        gradients[dtype] = {key: gradient.copy() for key, gradient in network.gradients().items()}
    for key, expected in gradients[np.float64].items():
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            gradients[np.float32][key], expected, rtol=0, atol=0.02 * scale, err_msg=key
        )
