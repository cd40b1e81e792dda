"""Forward, gradients and three optimiser steps of a small VGG against PyTorch."""

import numpy as np
import pytest

from deeptheory import nn

torch = pytest.importorskip("torch")

from deeptheory.bench.torch_networks import torch_twin  # noqa: E402


def test_gradients_of_a_googlenet_are_those_of_torch():
    rng = np.random.default_rng(0)
    network = nn.build("googlenet", 5, (33, 33, 3), width=1 / 16, rng=rng, dtype=np.float64)
    twin = torch_twin(network).double()
    x, labels = rng.uniform(-1, 1, (6, 33, 33, 3)), rng.integers(0, 5, 6)
    logits, _ = network.forward(x, training=True)
    network.backward(nn.softmax_cross_entropy(logits, labels)[1])
    theirs = twin(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))
    torch.nn.functional.cross_entropy(theirs, torch.from_numpy(labels)).backward()
    np.testing.assert_allclose(logits, theirs.detach().numpy(), rtol=1e-6, atol=1e-9)
    for (name, gradient), parameter in zip(network.gradients().items(), twin.parameters(), strict=True):
        expected = parameter.grad.numpy()
        np.testing.assert_allclose(gradient, expected, atol=1e-6 * np.abs(expected).max(), err_msg=name)


def test_small_vgg_follows_torch():
    rng = np.random.default_rng(0)
    network = nn.build("vgg6", 5, (16, 16, 3), width=1 / 8, rng=rng)
    twin = torch_twin(network)
    x, labels = rng.uniform(-1, 1, (6, 16, 16, 3)).astype(np.float32), rng.integers(0, 5, 6)
    theirs_x = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    decayed = [p for p in twin.parameters() if p.ndim > 1]
    others = [p for p in twin.parameters() if p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": 5e-4}, {"params": others}]
    optimisers = (
        nn.SGD(network, momentum=0.9, l2=5e-4, l2_on_all=False, masks={}),
        torch.optim.SGD(groups, lr=0.05, momentum=0.9, nesterov=True),
    )
    for _ in range(3):
        logits, _ = network.forward(x, training=True)
        loss, dlogits = nn.softmax_cross_entropy(logits, labels)
        network.backward(dlogits)
        theirs = twin(theirs_x)
        their_loss = torch.nn.functional.cross_entropy(theirs, torch.from_numpy(labels))
        optimisers[1].zero_grad()
        their_loss.backward()
        np.testing.assert_allclose(logits, theirs.detach().numpy(), rtol=1e-3, atol=1e-4)
        assert loss == pytest.approx(their_loss.item(), rel=1e-4)
        for (name, gradient), parameter in zip(network.gradients().items(), twin.parameters(), strict=True):
            expected = parameter.grad.numpy()
            np.testing.assert_allclose(gradient, expected, atol=1e-3 * np.abs(expected).max(), err_msg=name)
        optimisers[0].step(0.05)
        optimisers[1].step()
    for (name, array), parameter in zip(network.parameters().items(), twin.parameters(), strict=True):
        np.testing.assert_allclose(array, parameter.detach().numpy(), rtol=1e-3, atol=1e-4, err_msg=name)
    twin.eval()
    evaluated = twin(theirs_x).detach().numpy()
    np.testing.assert_allclose(network.forward(x)[0], evaluated, rtol=1e-3, atol=1e-3)
