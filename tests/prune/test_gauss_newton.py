"""Diagonal of the Gauss-Newton matrix against Jacobians by differences."""

import itertools

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.data.augmentation import scale
from deeptheory.errors import InputError
from deeptheory.prune import gauss_newton


class AllSigns:
    """In place of a generator: every row of signs in turn, for as many copies of each input."""

    def choice(self, values, shape):
        every = np.array(list(itertools.product(values, repeat=shape[1])))
        return np.tile(every, (shape[0] // len(every), 1))


def jacobian(network, x, name, step=1e-6):
    weight = network.parameters()[name].copy()
    rows = []
    for place in np.ndindex(*weight.shape):
        ends = []
        for sign in (1, -1):
            moved = weight.copy()
            moved[place] += sign * step
            network.parameters()[name] = moved
            ends.append(network.forward(x)[0])
        rows.append((ends[0] - ends[1]) / (2 * step))
    network.parameters()[name] = weight
    return np.array(rows)  # (weights, N, K)


def diagonal(network, x, name):
    logits = network.forward(x)[0]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    slopes = jacobian(network, x, name)
    within = np.einsum("nk,wnk->wn", p, slopes**2) - np.einsum("nk,wnk->wn", p, slopes) ** 2
    return within.mean(axis=1).reshape(network.parameters()[name].shape)


def test_the_mean_over_all_signs_is_the_exact_diagonal(tiny_context, monkeypatch):
    network, images, _ = tiny_context().running()
    copies = np.repeat(images[:3], 8, axis=0)
    monkeypatch.setattr("deeptheory.nn.pass_sizes.MOST", 16)
    monkeypatch.setattr(gauss_newton, "BLOCK", 500)
    before = network.state()
    found = gauss_newton.gauss_newton_diagonal(network, copies, ["stage2.conv", "head.linear"], AllSigns())
    for layer, values in found.items():
        expected = diagonal(network, scale(images[:3]), f"{layer}.weight")
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-8 * expected.max())
    assert all((array == before[name]).all() for name, array in network.state().items())


def test_strides_and_linear_stages():
    for name, layer in (("resnet20", "stage8.conv"), ("mlp", "stage2.linear"), ("lenet", "stage2.conv")):
        net = nn.build(
            name, 2, (16, 16, 1), 0.02 if name == "mlp" else 0.15, rng=np.random.default_rng(0), dtype=float
        )
        head = net.parameters()["head.linear.weight"]
        net.parameters()["head.linear.weight"] = head * 0.1  # or the softmax leaves nothing but rounding
        images = np.random.default_rng(1).integers(0, 256, (2, 16, 16, 1), np.uint8)
        found = gauss_newton.gauss_newton_diagonal(net, np.repeat(images, 4, axis=0), [layer], AllSigns())
        expected = diagonal(net, scale(images), f"{layer}.weight")
        np.testing.assert_allclose(found[layer], expected, rtol=0, atol=1e-6 * expected.max())


def test_random_directions_have_the_covariance_of_the_softmax():
    logits = np.array([[0.3, -1.0, 2.0, 0.0]])
    p = np.exp(logits[0]) / np.exp(logits[0]).sum()
    draws = 20_000
    found = gauss_newton.random_directions(np.repeat(logits, draws, axis=0), np.random.default_rng(0))
    products = found[:, :, None] * found[:, None, :]
    error = products.std(axis=0) / np.sqrt(draws)
    assert (np.abs(products.mean(axis=0) - (np.diag(p) - np.outer(p, p))) < 5 * error + 1e-12).all()


def test_a_layer_that_mixes_nothing_is_refused(tiny_context):
    network, images, _ = tiny_context().running()
    with pytest.raises(InputError, match=r"layer 'stage2\.norm': expected a convolution without groups"):
        gauss_newton.gauss_newton_diagonal(network, images, ["stage2.norm"], np.random.default_rng(0))
