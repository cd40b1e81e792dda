"""Every layer's gradients against central differences in float64."""

import numpy as np
import pytest

from deeptheory import machine, nn

STEP = 1e-6


def numerical_gradient(loss, array):
    gradient = np.empty_like(array)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + STEP
        above = loss()
        array[place] = kept - STEP
        gradient[place] = (above - loss()) / (2 * STEP)
        array[place] = kept
    return gradient


def make(kind, rng):
    options = {"rng": rng, "dtype": np.float64}
    return {
        "conv": lambda: nn.Conv2d(2, 3, 3, padding=1, **options),
        "conv with stride and bias": lambda: nn.Conv2d(
            2, 3, (3, 2), stride=2, padding=1, bias=True, **options
        ),
        "conv 1 x 1": lambda: nn.Conv2d(2, 3, 1, **options),
        "conv with wide padding": lambda: nn.Conv2d(2, 3, 2, padding=2, **options),
        "linear": lambda: nn.Linear(5, 3, bias=True, **options),
        "norm": lambda: nn.BatchNorm2d(2, np.float64),
        "relu": nn.ReLU,
        "max pool": lambda: nn.MaxPool2d(2),
        "overlapping max pool": lambda: nn.MaxPool2d(3, 1),
        "average pool": lambda: nn.AvgPool2d(2),
        "overlapping average pool": lambda: nn.AvgPool2d(3, 2),
        "flatten": nn.Flatten,
    }[kind]()


KINDS = [
    "conv", "conv with stride and bias", "conv 1 x 1", "conv with wide padding", "linear", "norm", "relu",
    "max pool", "overlapping max pool", "average pool", "overlapping average pool", "flatten",
]  # fmt: skip


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind, training):
    rng = np.random.default_rng(1)
    layer = make(kind, rng)
    x = rng.standard_normal((3, 5) if kind == "linear" else (3, 5, 4, 2))
    for array in (*layer.parameters.values(), *layer.buffers.values()):
        array += rng.uniform(0.1, 0.5, array.shape)
    shape = layer.output_shape(x.shape[1:])
    slope = rng.standard_normal((3, *shape))

    def loss():
        kept = {name: array.copy() for name, array in layer.buffers.items()}
        value = float(np.sum(slope * layer.forward(x.copy(), training)))
        layer.buffers.update(kept)
        return value

    with machine.single_threaded_blas():
        assert layer.forward(x.copy(), training).shape == (3, *shape)
        dx = layer.backward(slope.copy()).copy()
        gradients = {name: array.copy() for name, array in layer.gradients.items()}
        np.testing.assert_allclose(dx, numerical_gradient(loss, x), rtol=1e-6, atol=1e-7)
        assert gradients.keys() == layer.parameters.keys()
        for name, gradient in gradients.items():
            expected = numerical_gradient(loss, layer.parameters[name])
            np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)


def test_gradient_of_the_loss():
    rng = np.random.default_rng(2)
    logits, labels = rng.standard_normal((4, 3)), np.array([0, 2, 1, 2])
    _, dlogits = nn.softmax_cross_entropy(logits, labels)
    expected = numerical_gradient(lambda: nn.softmax_cross_entropy(logits, labels)[0], logits)
    np.testing.assert_allclose(dlogits, expected, rtol=1e-7, atol=1e-9)


def test_loss_of_huge_logits_is_exact():
    loss, _ = nn.softmax_cross_entropy(np.array([[1e4, 0.0]]), np.array([1]))
    assert loss == 1e4


def test_batch_norm_moves_its_running_statistics():
    rng = np.random.default_rng(3)
    x = rng.normal(2.0, 3.0, (4, 2, 2, 2))
    layer = nn.BatchNorm2d(2, np.float64)
    y = layer.forward(x, training=True)
    rows = x.reshape(-1, 2)
    np.testing.assert_allclose(y.reshape(-1, 2).mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(y.reshape(-1, 2).var(axis=0), 1, rtol=1e-4)
    np.testing.assert_allclose(layer.buffers["running_mean"], 0.1 * rows.mean(axis=0))
    np.testing.assert_allclose(layer.buffers["running_var"], 0.9 + 0.1 * rows.var(axis=0, ddof=1))


def test_batch_norm_refuses_one_input_in_training():
    with pytest.raises(ValueError, match="batch in training mode: expected at least 2 inputs, found 1"):
        nn.BatchNorm2d(2, np.float64).forward(np.ones((1, 2, 2, 2)), training=True)


def test_relu_and_max_pool_keep_nan():
    x = np.ones((1, 2, 2, 3))
    x[0, 1, 0, 2] = np.nan
    np.testing.assert_array_equal(np.isnan(nn.ReLU().forward(x.copy())), np.isnan(x))
    np.testing.assert_array_equal(np.isnan(nn.MaxPool2d(2).forward(x)).ravel(), [False, False, True])


def test_flatten_is_filter_major():
    x = np.arange(12.0).reshape(1, 2, 3, 2)
    np.testing.assert_array_equal(nn.Flatten().forward(x)[0], [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11])
