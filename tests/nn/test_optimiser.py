"""Optimisers against their definitions, and against PyTorch over 100 steps."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.kernels import definitions
from deeptheory.nn.optimiser import BETA_SQUARE, EPSILON

STEPS, RATE, L2 = 100, {"sgd": 0.05, "adam": 0.002, "adamw": 0.002}, 0.01
NAME = "stage2.conv.weight"


def network(dtype=np.float64):
    return nn.build("vgg6", 3, (16, 16, 1), width=1 / 16, rng=np.random.default_rng(0), dtype=dtype)


def optimiser_of(kind, net, masks=None, l2=L2, stages=()):
    return nn.make_optimiser(net, nn.Recipe(optimiser=kind, l2=l2), masks, stages)


def gradients_of(net, seed):
    """Set the gradients to random ones and return them: what an optimiser sees of a loss."""
    rng = np.random.default_rng(seed)
    for gradient in net.gradients().values():
        gradient[...] = rng.standard_normal(gradient.shape) * 0.1
    return {name: gradient.copy() for name, gradient in net.gradients().items()}


def with_gradients(net):
    net.forward(np.zeros((2, 16, 16, 1), net.dtype), training=True)
    net.backward(np.zeros((2, 3), net.dtype))
    return net


@pytest.mark.parametrize("kind", RATE)
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-4)])
def test_100_steps_agree_with_the_definition(kind, dtype, rtol):
    net = with_gradients(network(dtype))
    optimiser = optimiser_of(kind, net)
    weight = net.parameters()[NAME].astype(float)
    velocity, square = np.zeros_like(weight), np.zeros_like(weight)
    for t in range(1, STEPS + 1):
        rate = RATE[kind] * (1 + t % 3)
        g = gradients_of(net, t)[NAME].astype(float)
        optimiser.step(rate)
        if kind == "sgd":
            weight, velocity = definitions.nesterov(weight, g, velocity, rate, 0.9, L2)
        else:
            decay = {"l2": L2} if kind == "adam" else {"decay": L2}
            weight, velocity, square = definitions.adam(
                weight, g, velocity, square, t, rate, (0.9, BETA_SQUARE), EPSILON, **decay
            )
    np.testing.assert_allclose(net.parameters()[NAME], weight, rtol=rtol, atol=rtol * np.abs(weight).max())


@pytest.mark.parametrize("kind", RATE)
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-6), (np.float32, 1e-6)])
def test_100_steps_of_given_gradients_agree_with_torch(kind, dtype, rtol):
    torch = pytest.importorskip("torch")
    net = with_gradients(network(dtype))
    optimiser = optimiser_of(kind, net)
    theirs = {name: torch.nn.Parameter(torch.tensor(a)) for name, a in net.parameters().items()}
    rival = torch_optimiser(torch, kind, theirs)
    for t in range(STEPS):
        for name, gradient in gradients_of(net, t).items():
            theirs[name].grad = torch.tensor(gradient)
        optimiser.step(RATE[kind])
        rival.step()
    for name, array in net.parameters().items():
        expected = theirs[name].detach().numpy()
        np.testing.assert_allclose(array, expected, rtol=0, atol=rtol * np.abs(expected).max(), err_msg=name)


@pytest.mark.parametrize("kind", RATE)
def test_100_training_steps_agree_with_torch(kind):
    torch = pytest.importorskip("torch")
    from deeptheory.bench.torch_networks import torch_twin

    net = network()
    twin = torch_twin(net)
    assert {p.dtype for p in twin.parameters()} == {torch.float64}
    optimiser = optimiser_of(kind, net)
    rival = torch_optimiser(torch, kind, dict(zip(net.parameters(), twin.parameters(), strict=True)))
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        x, labels = rng.uniform(-1, 1, (12, 16, 16, 1)), rng.integers(0, 3, 12)
        logits, _ = net.forward(x, training=True)
        net.backward(nn.softmax_cross_entropy(logits, labels, smoothing=0.1)[1])
        rival.zero_grad()
        theirs = twin(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))
        torch.nn.functional.cross_entropy(theirs, torch.from_numpy(labels), label_smoothing=0.1).backward()
        optimiser.clip(0.5)
        torch.nn.utils.clip_grad_norm_(twin.parameters(), 0.5)
        optimiser.step(RATE[kind])
        rival.step()
    for (name, array), parameter in zip(net.parameters().items(), twin.parameters(), strict=True):
        expected = parameter.detach().numpy()
        np.testing.assert_allclose(array, expected, rtol=0, atol=1e-6 * np.abs(expected).max(), err_msg=name)


def torch_optimiser(torch, kind, parameters):
    groups = [
        {"params": [p for p in parameters.values() if p.ndim > 1], "weight_decay": L2},
        {"params": [p for p in parameters.values() if p.ndim == 1], "weight_decay": 0.0},
    ]
    if kind == "sgd":
        return torch.optim.SGD(groups, lr=RATE[kind], momentum=0.9, nesterov=True)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind](groups, lr=RATE[kind])


@pytest.mark.parametrize("kind", RATE)
def test_masked_weights_stay_zero_to_the_bit_and_come_back_at_rest(kind):
    net = with_gradients(network(np.float32))
    mask = np.random.default_rng(3).random((*net.parameters()[NAME].shape[:2], 1, 1)) < 0.5
    removed = np.broadcast_to(~mask, net.parameters()[NAME].shape)
    optimiser = optimiser_of(kind, net, {NAME: mask})
    for t in range(10):
        gradients_of(net, t)
        optimiser.clip(0.2)
        optimiser.step(RATE[kind])
        assert not net.parameters()[NAME][removed].any()
        assert not optimiser.velocity[NAME][removed].any()
    assert net.parameters()[NAME][~removed].all()
    optimiser.use_masks({NAME: np.ones_like(mask)})
    before = net.parameters()[NAME].copy()
    gradients_of(net, 11)
    optimiser.step(RATE[kind])
    step = np.abs(net.parameters()[NAME] - before)
    assert step[removed].min() > 0
    assert step[removed].max() < 2 * step[~removed].max()  # in adam by the mean squares, which went on


def test_gradients_are_scaled_together_to_the_largest_norm():
    net = with_gradients(network())
    mask = np.zeros(net.parameters()[NAME].shape, bool)
    optimiser = optimiser_of("sgd", net, {NAME: mask})
    gradients = gradients_of(net, 0)
    norm = np.sqrt(sum(np.sum(g**2) for name, g in gradients.items() if name != NAME))  # masked: not counted
    optimiser.clip(2 * norm)
    for name, gradient in net.gradients().items():
        np.testing.assert_array_equal(gradient, gradients[name])
    optimiser.clip(norm / 4)
    for name, gradient in net.gradients().items():
        np.testing.assert_allclose(gradient, gradients[name] / 4, rtol=1e-12)


@pytest.mark.parametrize("kind", RATE)
def test_stages_that_are_not_trained_do_not_move(kind):
    net = with_gradients(network())
    before = net.state()
    optimiser = optimiser_of(kind, net, stages=["head"])
    gradients_of(net, 0)
    optimiser.clip(0.1)
    optimiser.step(0.1)
    for name, array in net.parameters().items():
        assert np.array_equal(array, before[name]) != name.startswith("head"), name


def test_another_optimiser_is_refused_with_the_nearest_name():
    from deeptheory.runs.configuration import config_from

    with pytest.raises(InputError, match=r"train.optimiser: .*found 'adamax'; did you mean 'adam"):
        config_from({"train": {"optimiser": "adamax"}})
