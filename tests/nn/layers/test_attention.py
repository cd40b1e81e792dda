"""Layers of tokens: gradients by differences, explicit vectors against definitions, and PyTorch."""

import math

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.kernels import attention, definitions
from deeptheory.system import threadpools
from tests.nn.layers.differences import numerical_gradient

TOLERANCE = 2e-6  # of the largest value
RNG = np.random.default_rng(0)
PADDED = np.array([[1, 1, 1, 0], [1, 0, 1, 1], [1, 1, 0, 0]], float)[:, :, None, None]


def make(kind, **options):
    options = {"rng": np.random.default_rng(1), "dtype": np.float64}
    return {
        "attention": lambda: nn.SelfAttention(6, 2, **options),
        "attention with bias": lambda: nn.SelfAttention(6, 3, bias=True, **options),
        "tokens": nn.Tokens,
        "positions": lambda: nn.Positions(5, 6, **options),
        "sines": nn.SinePositions,
        "class token": lambda: nn.ClassToken(6, np.float64),
        "first token": nn.FirstToken,
        "sequence pool": lambda: nn.SequencePool(6, np.float64),
        "dropout": lambda: nn.Dropout(0.4, rng=np.random.default_rng(2)),
    }[kind]()


KINDS = ("attention", "attention with bias", "tokens", "positions", "sines", "class token", "first token",
         "sequence pool", "dropout")  # fmt: skip


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind, padded):
    layer, rng = make(kind), np.random.default_rng(3)
    if padded and not layer.joins:
        pytest.skip("it takes no mask")
    x = rng.standard_normal((3, 4, 1, 6))
    for array in layer.parameters.values():
        array += rng.uniform(0.1, 0.5, array.shape)

    def inputs():
        return ((x.copy(), PADDED) if padded else (x.copy(),)) if layer.joins else x.copy()

    kept = {name: array.copy() for name, array in layer.buffers.items()}

    def loss():
        layer.buffers.update({name: array.copy() for name, array in kept.items()})
        return float(np.sum(slope * layer.forward(inputs(), training=True)))

    with threadpools.kernel_threads():
        slope = rng.standard_normal(layer.forward(inputs(), training=True).shape)
        loss()
        dx = layer.backward(slope.copy())
        dx = (dx[0] if layer.joins else dx).copy()
        gradients = {name: array.copy() for name, array in layer.gradients.items()}
        np.testing.assert_allclose(dx, numerical_gradient(loss, x), rtol=1e-6, atol=1e-7)
        assert gradients.keys() == layer.parameters.keys()
        for name, gradient in gradients.items():
            expected = numerical_gradient(loss, layer.parameters[name])
            np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("n", "tokens", "channels", "heads", "depth"),
    [(3, 16, 32, 2, 16), (2, 65, 96, 3, 32), (2, 7, 64, 4, 16), (5, 64, 64, 1, 64), (3, 4, 96, 2, 32)],
)
def test_vectors_agree_with_definitions(n, tokens, channels, heads, depth, bias):
    rng = np.random.default_rng(0)
    x, dout = rng.standard_normal((n, tokens, 1, channels)), rng.standard_normal((n, tokens, depth, heads))
    mask = np.ones((n, tokens, 1, 1))
    mask[0, tokens // 2 :] = 0
    found, expected = [], []
    for dtype, values in ((np.float32, found), (np.float64, expected)):
        layer = nn.SelfAttention(channels, channels // depth, bias, rng=np.random.default_rng(1), dtype=dtype)
        layer.parameters["weight"] = layer.parameters["weight"][:heads].copy()
        if bias:
            shifts = np.random.default_rng(2).standard_normal(3 * heads * depth)
            layer.parameters["bias"] = shifts.astype(dtype)
        assert attention.applies(dtype, tokens, channels, depth) == (dtype == np.float32)
        values.append(layer.forward((x.astype(dtype), mask.astype(dtype))).copy())
        values.append(layer.backward(dout.astype(dtype))[0])
        values.extend(layer.gradients.values())
    for vectors, plain in zip(found, expected, strict=True):
        assert np.abs(vectors - plain).max() < TOLERANCE * np.abs(plain).max()


def test_padding_changes_nothing():
    layer = nn.SelfAttention(32, 2, rng=RNG)
    x = RNG.standard_normal((2, 9, 1, 32)).astype(np.float32)
    longer = np.concatenate([x, 50 * np.ones((2, 3, 1, 32), np.float32)], axis=1)
    mask = np.ones((2, 12, 1, 1), np.float32)
    mask[:, 9:] = 0
    alone = layer.forward((x,)).copy()
    np.testing.assert_allclose(layer.forward((longer, mask))[:, :9], alone, rtol=1e-5, atol=1e-6)


def test_attention_against_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    layer = nn.SelfAttention(32, 2, bias=True, rng=rng)
    layer.parameters["bias"] += rng.standard_normal(96).astype(np.float32)
    x, dout = (rng.standard_normal(s).astype(np.float32) for s in ((2, 9, 1, 32), (2, 9, 16, 2)))
    mask = np.ones((2, 9, 1, 1), np.float32)
    mask[1, 5:] = 0
    out = layer.forward((x, mask)).copy()
    dx = layer.backward(dout.copy())[0]
    given = torch.tensor(x[:, :, 0], requires_grad=True)
    weight = torch.tensor(layer.parameters["weight"], requires_grad=True)
    rows = weight.permute(0, 2, 3, 1).reshape(96, 32)
    qkv = torch.nn.functional.linear(given, rows, torch.tensor(layer.parameters["bias"]))
    q, k, v = qkv.reshape(2, 9, 2, 3, 16).permute(3, 0, 2, 1, 4)
    kept = torch.tensor(mask[:, None, None, :, 0, 0] != 0)
    mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, kept).permute(0, 2, 3, 1)
    mixed.backward(torch.tensor(dout))
    for ours, theirs in ((out, mixed), (dx[:, :, 0], given.grad), (layer.gradients["weight"], weight.grad)):
        theirs = theirs.detach().numpy()
        assert np.abs(ours - theirs).max() < 1e-5 * np.abs(theirs).max()


def test_maps_are_shares_over_tokens_that_are_kept():
    layer = nn.SelfAttention(8, 2, rng=RNG)
    maps = layer.maps(RNG.standard_normal((3, 4, 1, 8)).astype(np.float32), PADDED)
    np.testing.assert_allclose(maps.sum(axis=3), 1, rtol=1e-5)
    assert not maps[0, :, :, 3].any()


def test_embedding():
    layer = nn.Embedding(5, 3, rng=RNG)
    ids = np.array([[1, 4, 1, 0]], np.float32)[:, :, None, None]
    out = layer.forward(ids)
    np.testing.assert_array_equal(out[0, :, 0], layer.parameters["weight"][[1, 4, 1, 0]])
    layer.backward(np.arange(12, dtype=np.float32).reshape(1, 4, 1, 3))
    expected = [[9, 10, 11], [6, 8, 10], [0, 0, 0], [0, 0, 0], [3, 4, 5]]
    np.testing.assert_array_equal(layer.gradients["weight"], expected)
    np.testing.assert_array_equal(nn.PaddingMask().forward(ids)[0, :, 0, 0], [1, 1, 1, 0])


def test_sine_positions():
    table = definitions.sine_positions(3, 4)
    np.testing.assert_allclose(table[2], [math.sin(2), math.cos(2), math.sin(0.02), math.cos(0.02)])
    assert definitions.sine_positions(3, 5).shape == (3, 5)


def test_dropout_goes_on_where_a_resumed_network_stopped():
    first, resumed = (nn.Dropout(0.5, rng=np.random.default_rng(7)) for _ in range(2))
    ones = np.ones((4, 8, 1, 16), np.float32)
    first.forward(ones.copy(), training=True)
    resumed.buffers.update({name: array.copy() for name, array in first.buffers.items()})
    second = first.forward(ones.copy(), training=True)
    np.testing.assert_array_equal(resumed.forward(ones.copy(), training=True), second)
    assert set(np.unique(second)) == {0.0, 2.0}
    assert abs(second.mean() - 1) < 0.2
    assert resumed.forward(ones.copy()).min() == 1


@pytest.mark.parametrize(
    ("do", "text"),
    [
        (lambda: nn.SelfAttention(10, 4, rng=RNG), "heads: expected a divisor of the width, 10 channels"),
        (
            lambda: nn.Positions(4, 6, rng=RNG).forward(np.zeros((1, 5, 1, 6))),
            "input of Positions: expected at most 4 tokens, one for each position, found 5 tokens",
        ),
        (
            lambda: nn.Embedding(5, 3, rng=RNG).forward(np.array([[1, 9]])[:, :, None, None]),
            "ids of words: expected whole numbers from 0 to 4, the vocabulary, found 1 others, from 1 to 9",
        ),
        (
            lambda: nn.PaddingMask().forward(np.zeros((2, 3, 1, 1))),
            "sequences: expected at least one word in each, found 2 of padding alone",
        ),
    ],
)
def test_errors(do, text):
    with pytest.raises(InputError) as error:
        do()
    assert str(error.value).startswith(text)
