"""The definitions of the kernels: their gradients are those of their outputs, and a few values by hand."""

import numpy as np
import pytest

from deeptheory.nn.kernels import definitions


def assert_gradient(gradient, function, array, dout):
    """`gradient` is that of sum(dout * function(array)), along three random directions."""
    rng = np.random.default_rng(9)
    for _ in range(3):
        direction = rng.standard_normal(array.shape)
        above, below = (np.sum(dout * function(array + step * direction)) for step in (1e-6, -1e-6))
        assert np.sum(gradient * direction) == pytest.approx((above - below) / 2e-6, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [((3, 3), 1, 1), ((3, 2), 2, 0), ((5, 5), 2, 3)])
def test_gradients_of_the_convolution(groups, kernel, stride, padding):
    rng, place = np.random.default_rng(0), (stride, padding, groups)
    x, weight = rng.standard_normal((2, 6, 7, 4)), rng.standard_normal((8, 4 // groups, *kernel))
    dout = rng.standard_normal(definitions.convolution(x, weight, *place).shape)
    dx = definitions.convolution_data_gradient(dout, weight, x.shape, *place)
    dweight = definitions.convolution_weight_gradient(x, dout, weight.shape, *place)
    assert_gradient(dx, lambda x: definitions.convolution(x, weight, *place), x, dout)
    assert_gradient(dweight, lambda weight: definitions.convolution(x, weight, *place), weight, dout)


def test_convolution_by_hand():
    x, weight = np.arange(1.0, 5).reshape(1, 2, 2, 1), np.arange(1.0, 10).reshape(1, 1, 3, 3)
    found = definitions.convolution(x, weight, padding=1)[0, :, :, 0]
    assert found[0, 0] == 1 * 5 + 2 * 6 + 3 * 8 + 4 * 9
    assert found[1, 1] == 1 * 1 + 2 * 2 + 3 * 4 + 4 * 5


def test_output_of_a_group_is_the_convolution_of_its_inputs():
    rng = np.random.default_rng(1)
    x, weight = rng.standard_normal((2, 5, 5, 6)), rng.standard_normal((9, 2, 3, 3))
    found = definitions.convolution(x, weight, groups=3)
    for g in range(3):
        own = definitions.convolution(x[..., 2 * g : 2 * g + 2], weight[3 * g : 3 * g + 3])
        np.testing.assert_allclose(found[..., 3 * g : 3 * g + 3], own, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("name", [definitions.IDENTITY, definitions.RELU, definitions.SILU])
def test_gradients_of_normalisation_activation_and_pooling(name, size):
    rng = np.random.default_rng(2)
    x, (weight, bias) = rng.standard_normal((3, 4, 6, 2)), rng.standard_normal((2, 2))

    def block(x, weight, bias):
        return definitions.norm_activation_pool(x, *definitions.batch_norm(x, weight, bias), name, size)

    dout = rng.standard_normal(block(x, weight, bias).shape)
    slope, shift = definitions.batch_norm(x, weight, bias)
    dz = definitions.normalised_gradient(x, dout, slope, shift, name, size)
    dx, dweight, dbias = definitions.batch_norm_gradient(x, dz, weight)
    assert_gradient(dx, lambda x: block(x, weight, bias), x, dout)
    assert_gradient(dweight, lambda weight: block(x, weight, bias), weight, dout)
    assert_gradient(dbias, lambda bias: block(x, weight, bias), bias, dout)
    for gradient, place in zip(definitions.channel_sums(dz, x), (1, 0), strict=True):
        lines = [slope, shift]

        def other(line, place=place, lines=lines):
            lines[place] = line
            return definitions.norm_activation_pool(x, *lines, name, size)

        assert_gradient(gradient, other, lines[place].copy(), dout)


def test_pooling_by_hand():
    x = np.array([[1.0, 5, 5], [5, np.nan, 2]]).reshape(1, 2, 3, 1)
    out, winner = definitions.max_pool(x[:, :, [0, 2, 1]], 2, 2)  # the last column does not fill a window
    assert (out.item(), winner.item()) == (5, 1)
    out, winner = definitions.max_pool(x, 2, 1)
    assert np.isnan(out).all()
    assert winner.ravel().tolist() == [3, 2]


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 1), (2, 3)])
def test_gradients_of_pooling(size, stride):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 6, 5, 3))
    out, winner = definitions.max_pool(x, size, stride)
    dout = rng.standard_normal(out.shape)
    dx = definitions.max_pool_gradient(dout, winner, size, stride, x.shape)
    assert_gradient(dx, lambda x: definitions.max_pool(x, size, stride)[0], x, dout)
    dx = definitions.average_pool_gradient(dout, size, stride, x.shape)
    assert_gradient(dx, lambda x: definitions.average_pool(x, size, stride), x, dout)
    dout = rng.standard_normal((2, 3))
    dx = definitions.global_average_pool_gradient(dout, x.shape)
    assert_gradient(dx, definitions.global_average_pool, x, dout)


def test_gradients_of_the_gate_and_of_the_loss():
    rng = np.random.default_rng(4)
    x, gate, dout = (rng.standard_normal(shape) for shape in ((3, 4, 2, 5), (3, 5), (3, 4, 2, 5)))
    dx, dgate = definitions.squeeze_gate_gradient(x, gate, dout)
    assert_gradient(dx, lambda x: definitions.squeeze_gate(x, gate), x, dout)
    assert_gradient(dgate, lambda gate: definitions.squeeze_gate(x, gate), gate, dout)
    labels = np.array([4, 0, 4])
    _, dlogits = definitions.softmax_cross_entropy(gate, labels)
    assert_gradient(dlogits, lambda logits: definitions.softmax_cross_entropy(logits, labels)[0], gate, 1.0)


def test_step_by_hand():
    weight, velocity = definitions.nesterov(
        np.array([2.0]), np.array([3.0]), np.array([1.0]), rate=0.1, momentum=0.5, l2=0.25
    )
    assert velocity == 0.5 + 3.5
    assert weight == 2 - 0.1 * (3.5 + 0.5 * 4)


def test_steps_of_adam_by_hand():
    zeros = np.zeros(1)
    for t in (1, 50):  # a constant gradient moves by the rate, whatever its size
        weight, velocity, square = np.array([2.0]), zeros, zeros
        for step in range(1, t + 1):
            weight, velocity, square = definitions.adam(
                weight, np.array([300.0]), velocity, square, step, 0.1, (0.9, 0.999), 1e-8
            )
        np.testing.assert_allclose(weight, 2 - 0.1 * t, rtol=1e-9)
    decayed, *_ = definitions.adam(
        np.array([2.0]), zeros, zeros, zeros, 1, 0.1, (0.9, 0.999), 1e-8, decay=0.5
    )
    np.testing.assert_allclose(decayed, 2 * (1 - 0.05))
