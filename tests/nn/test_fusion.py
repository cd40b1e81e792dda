"""Layers computed together, against the same layers one by one in float64."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.nn.fusion import Block
from deeptheory.system import instructions, threadpools
from deeptheory.system.compiled import JIT

pytestmark = pytest.mark.skipif(instructions.vectors() == "plain" or not JIT, reason="needs explicit vectors")
TOLERANCE = 1e-5  # relative to the largest value; 6e-6 seen


def assert_close(found, expected, tolerance=TOLERANCE):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def layers(n_in, n_out, activation, pooled, dtype, *, conv=True, size=3, bias=False, groups=1):
    rng = np.random.default_rng(0)
    made = (
        [nn.Conv2d(n_in, n_out, size, 1, size // 2, bias, groups=groups, rng=rng, dtype=dtype)]
        if conv
        else []
    )
    made.append(nn.BatchNorm2d(n_out, dtype))
    if activation:
        made.append(nn.activation(activation))
    if pooled:
        made.append(nn.MaxPool2d(2))
    for layer in made:
        for array in (*layer.parameters.values(), *layer.buffers.values()):
            if array.ndim == 1:
                array += rng.uniform(0.1, 0.5, array.shape).astype(dtype)
            array[...] = array.astype(np.float32)
    return made


def with_sum(channels, relu, dtype):
    made = layers(*channels, "", False, dtype)
    return [*made, nn.Sum(), *([nn.ReLU()] if relu else [])]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize(("images", "channels"), [((7, 8, 6), (16, 32)), ((3, 6, 8), (3, 16))])
def test_block_with_a_sum_agrees_with_its_layers_in_float64(images, channels, relu, training):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((*images, channels[0]), np.float32)
    term, dout = rng.standard_normal((2, *images, channels[1]), np.float32)
    block = Block(with_sum(channels, relu, np.float32))
    conv, norm, *_ = exact = with_sum(channels, relu, np.float64)
    with threadpools.kernel_threads():
        out = block.forward((x, term), training)
        z = norm.forward(conv.forward(x.astype(np.float64)), training) + term
        expected = np.maximum(z, 0) if relu else z
        assert_close(out, expected)
        dx, dterm = block.backward(dout.copy())
        dsum = dout.astype(np.float64) * ((z > 0) if relu else 1)
        np.testing.assert_array_equal(dterm, dsum)
        assert_close(dx, conv.backward(norm.backward(dsum)))
        for array, value in zip(arrays(block.layers, "gradients"), arrays(exact, "gradients"), strict=True):
            assert_close(array, value)
        if not training:
            kept = block.forward((x, term)).copy()
            assert_close(block.infer((x, term)), kept)


def arrays(made, kind):
    return [array for layer in made for array in getattr(layer, kind).values()]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("activation", ["", "relu", "silu"])
@pytest.mark.parametrize(
    ("images", "channels", "pooled", "options"),
    [
        ((7, 8, 6), (16, 32), True, {}),
        ((5, 5, 7), (16, 48), False, {}),
        ((3, 4, 4), (20, 64), True, {"size": 1}),
        ((3, 4, 8), (20, 64), False, {"size": 1}),
        ((3, 6, 4), (3, 16), True, {"bias": True}),
        ((3, 6, 8), (3, 16), False, {}),
        ((3, 6, 4), (32, 32), False, {"groups": 2}),
        ((3, 6, 4), (16, 16), True, {"groups": 16}),
        ((3, 6, 4), (32, 32), True, {"conv": False}),
        ((3, 2, 2), (16, 16), True, {}),
    ],
)
def test_block_agrees_with_its_layers_in_float64(images, channels, pooled, options, activation, training):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((*images, channels[0]), np.float32)
    made, exact = (
        layers(*channels, activation, pooled, dtype, **options) for dtype in (np.float32, np.float64)
    )
    block = Block(made)
    with threadpools.kernel_threads():
        out, expected = block.forward(x, training), x.astype(np.float64)
        for layer in exact:
            expected = layer.forward(expected.copy(), training)
        assert_close(out, expected)
        dout = rng.standard_normal(out.shape, np.float32)
        dx, expected = block.backward(dout.copy()), dout.astype(np.float64)
        for layer in reversed(exact):
            expected = layer.backward(expected)
        assert_close(dx, expected)
        for kind in ("gradients", "buffers"):
            found, expected = arrays(made, kind), arrays(exact, kind)
            assert len(found) == len(expected) > 0
            for array, value in zip(found, expected, strict=True):
                # In training the gradient of a bias before the norm is zero.
                scale = max(np.abs(value).max(), 1) if options.get("bias") else np.abs(value).max()
                assert np.abs(array - value).max() <= TOLERANCE * scale
        if not training:
            kept = block.forward(x).copy()
            assert_close(block.infer(x), kept)
