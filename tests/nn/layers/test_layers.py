"""Every layer's gradients against central differences in float64."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.system import threadpools
from tests.nn.layers.differences import numerical_gradient

RNG = np.random.default_rng(0)


def layers(rng):
    """Functions that make a layer of each kind."""
    options = {"rng": rng, "dtype": np.float64}
    return {
        "conv": lambda: nn.Conv2d(2, 3, 3, padding=1, **options),
        "conv with stride and bias": lambda: nn.Conv2d(
            2, 3, (3, 2), stride=2, padding=1, bias=True, **options
        ),
        "conv 1 x 1": lambda: nn.Conv2d(2, 3, 1, **options),
        "conv with wide padding": lambda: nn.Conv2d(2, 3, 2, padding=2, **options),
        "conv in groups": lambda: nn.Conv2d(
            4, 6, (3, 2), stride=2, padding=1, bias=True, groups=2, **options
        ),
        "depthwise conv": lambda: nn.Conv2d(2, 2, 3, padding=1, groups=2, **options),
        "depthwise conv with stride": lambda: nn.Conv2d(2, 2, 5, stride=2, padding=2, groups=2, **options),
        "two filters per channel": lambda: nn.Conv2d(2, 4, 3, padding=1, groups=2, **options),
        "linear": lambda: nn.Linear(5, 3, bias=True, **options),
        "norm": lambda: nn.BatchNorm2d(2, np.float64),
        "relu": nn.ReLU,
        "max pool": lambda: nn.MaxPool2d(2),
        "overlapping max pool": lambda: nn.MaxPool2d(3, 1),
        "padded max pool": lambda: nn.MaxPool2d(3, 2, 1),
        "average pool": lambda: nn.AvgPool2d(2),
        "overlapping average pool": lambda: nn.AvgPool2d(3, 2),
        "global average pool": nn.GlobalAveragePool,
        "flatten": nn.Flatten,
        "silu": nn.SiLU,
        "gelu": nn.GELU,
        "tanh gelu": nn.TanhGELU,
        "relu6": nn.ReLU6,
        "hard swish": nn.HardSwish,
        "hard squeeze": lambda: nn.HardSqueezeExcitation(2, 3, **options),
        "layer scale": lambda: nn.LayerScale(2, np.float64),
        "layer norm": lambda: nn.LayerNorm(2, dtype=np.float64),
        "layer norm of tokens": lambda: nn.LayerNorm(5, 1e-5, np.float64),
        "squeeze": lambda: nn.SqueezeExcitation(2, 3, **options),
        "subsample": lambda: nn.Subsample(3),
        "stochastic depth": lambda: nn.StochasticDepth(0.5, rng=rng),
        "standardise": lambda: nn.Standardise((0.1, -0.2), (0.5, 2.0)),
    }


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", layers(RNG))
def test_gradients(kind, training):
    rng = np.random.default_rng(1)
    layer = layers(rng)[kind]()
    shapes = {"linear": (3, 5), "conv in groups": (3, 5, 4, 4), "stochastic depth": (9, 5, 4, 2)} | {
        "layer norm of tokens": (3, 4, 5)
    }
    x = rng.standard_normal(shapes.get(kind, (3, 5, 4, 2)))
    for array in (*layer.parameters.values(), *layer.buffers.values()):
        if array.dtype == np.float64:
            array += rng.uniform(0.1, 0.5, array.shape)
    shape = layer.output_shape(x.shape[1:])
    slope = rng.standard_normal((len(x), *shape))

    kept = {name: array.copy() for name, array in layer.buffers.items()}

    def loss():
        layer.buffers.update({name: array.copy() for name, array in kept.items()})
        return float(np.sum(slope * layer.forward(x.copy(), training)))

    with threadpools.kernel_threads():
        loss()
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


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (nn.Conv2d(3, 4, 5, rng=RNG), (8, 8, 2), "Conv2d: expected shape (H, W, 3) with H >= 5 and W >= 5"),
        (nn.Conv2d(4, 4, 3, groups=4, rng=RNG), (8, 8, 1), "Conv2d: expected shape (H, W, 4) with H >= 3"),
        (nn.Conv2d(3, 4, 5, padding=1, rng=RNG), (2, 4, 3), "Conv2d: expected shape (H, W, 3) with H >= 3"),
        (nn.Linear(12, 4, rng=RNG), (11,), "Linear: expected shape (12,)"),
        (nn.BatchNorm2d(16), (4, 4, 8), "BatchNorm2d: expected shape (H, W, 16)"),
        (nn.SqueezeExcitation(8, 2, rng=RNG), (4, 4, 4), "SqueezeExcitation: expected shape (H, W, 8)"),
        (nn.MaxPool2d(2), (1, 4, 3), "MaxPool2d: expected shape (H, W, C) with H >= 2 and W >= 2"),
        (nn.LayerNorm(16), (4, 4, 8), "LayerNorm: expected shape (..., 16)"),
        (nn.GlobalAveragePool(), (12,), "GlobalAveragePool: expected shape (H, W, C)"),
    ],
)
def test_a_batch_that_does_not_fit_names_the_layer_and_both_shapes(layer, shape, text):
    with pytest.raises(InputError) as error:
        layer.forward(np.zeros((2, *shape), np.float32), training=True)
    assert str(error.value).startswith(f"input of {text}")
    assert f"found shape {shape}" in str(error.value)


def test_relu_and_max_pool_keep_nan():
    x = np.ones((1, 2, 2, 3))
    x[0, 1, 0, 2] = np.nan
    np.testing.assert_array_equal(np.isnan(nn.ReLU().forward(x.copy())), np.isnan(x))
    np.testing.assert_array_equal(np.isnan(nn.MaxPool2d(2).forward(x)).ravel(), [False, False, True])


def test_the_gradient_of_a_large_window_goes_to_its_largest_element():
    x, layer = np.zeros((1, 17, 17, 2), np.float32), nn.MaxPool2d(17)
    x[0, 16, 3, 0] = x[0, 0, 2, 1] = 1.0
    layer.forward(x, training=True)
    dx = layer.backward(np.array([[[[2.0, 3.0]]]], np.float32))
    assert np.count_nonzero(dx) == 2
    np.testing.assert_array_equal((dx[0, 16, 3, 0], dx[0, 0, 2, 1]), (2.0, 3.0))


def test_flatten_is_filter_major():
    x = np.arange(12.0).reshape(1, 2, 3, 2)
    np.testing.assert_array_equal(nn.Flatten().forward(x)[0], [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11])


def test_sum():
    layer, x = nn.Sum(), np.random.default_rng(4).standard_normal((3, 2, 4))
    kept = x.copy()
    np.testing.assert_array_equal(layer.forward(tuple(x)), x[0] + x[1] + x[2])
    np.testing.assert_array_equal(x, kept)
    assert layer.output_shape(((2, 2, 4), (2, 2, 4))) == (2, 2, 4)


def test_concatenation():
    layer, rng = nn.Concat(), np.random.default_rng(4)
    parts = tuple(rng.standard_normal((3, 2, 2, channels)) for channels in (1, 4, 2))
    out = layer.forward(parts)
    assert layer.output_shape(tuple(part.shape[1:] for part in parts)) == out.shape[1:] == (2, 2, 7)
    np.testing.assert_array_equal(out[..., 1:5], parts[1])
    for gradient, part in zip(layer.backward(out.copy()), parts, strict=True):
        np.testing.assert_array_equal(gradient, part)
    with pytest.raises(
        InputError, match=r"^inputs: expected the same positions, found \(2, 2, 1\) and \(2, 1, 1\)$"
    ):
        layer.output_shape(((2, 2, 1), (2, 1, 1)))


def test_convolution_in_groups_is_one_with_zeros_elsewhere():
    rng = np.random.default_rng(5)
    for n_in, n_out, groups, stride in ((4, 6, 2, 1), (3, 3, 3, 1), (3, 3, 3, 2), (2, 4, 2, 2)):
        options = {"padding": 1, "stride": stride, "rng": rng, "dtype": np.float64}
        layer, whole = (
            nn.Conv2d(n_in, n_out, 3, groups=groups, **options),
            nn.Conv2d(n_in, n_out, 3, **options),
        )
        whole.parameters["weight"][:] = 0
        for o in range(n_out):
            first = o // (n_out // groups) * (n_in // groups)
            whole.parameters["weight"][o, first : first + n_in // groups] = layer.parameters["weight"][o]
        x = rng.standard_normal((2, 7, 6, n_in))
        np.testing.assert_allclose(layer.forward(x), whole.forward(x), rtol=1e-12, atol=1e-12)
        assert layer.multiply_adds((7, 6, n_in)) * groups == whole.multiply_adds((7, 6, n_in))


def test_groups_must_divide_the_channels():
    with pytest.raises(InputError, match=r"^groups: expected a divisor of 4 inputs and 6 outputs, found 4$"):
        nn.Conv2d(4, 6, 3, groups=4, rng=np.random.default_rng(0))


def test_silu_of_large_numbers():
    x = np.array([[-1000.0, 0.0, 1000.0]], np.float32)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(nn.SiLU().forward(x), [[0, 0, 1000]])
    layer = nn.SiLU()
    layer.forward(x)
    np.testing.assert_array_equal(layer.backward(np.ones_like(x)), [[0, 0.5, 1]])


def test_activations_by_name():
    assert isinstance(nn.activation("silu"), nn.SiLU)
    with pytest.raises(
        InputError,
        match=r"^activation: expected one of hardswish, relu, relu6, silu, found 'selu'; did you mean",
    ):
        nn.activation("selu")


def test_subsample_keeps_every_second_position_and_adds_zeros():
    x = np.random.default_rng(6).standard_normal((2, 5, 4, 2))
    y = nn.Subsample(5).forward(x)
    np.testing.assert_array_equal(y[..., :2], x[:, ::2, ::2])
    np.testing.assert_array_equal(y[..., 2:], np.zeros((2, 3, 2, 3)))
    with pytest.raises(InputError, match=r"^input: expected at most 1 channels, found shape \(5, 4, 2\)$"):
        nn.Subsample(1).output_shape((5, 4, 2))


def test_stochastic_depth_drops_whole_inputs_and_keeps_the_mean():
    layer, n, p = nn.StochasticDepth(0.3, rng=np.random.default_rng(7)), 10_000, 0.3
    x = layer.forward(np.ones((n, 2, 2, 3)), training=True)
    factors = x[:, 0, 0, 0]
    np.testing.assert_array_equal(x, np.broadcast_to(factors[:, None, None, None], x.shape))
    assert set(np.unique(factors)) == {0, 1 / (1 - p)}
    error = np.sqrt(p / (1 - p) / n)  # of the mean of the factors
    assert abs(factors.mean() - 1) < 4 * error
    again = layer.forward(np.ones((n, 1)), training=True)[:, 0]
    both = np.mean((factors == 0) & (again == 0))
    assert abs(both - p**2) < 4 * np.sqrt(p**2 / n)  # the batches are independent
    np.testing.assert_array_equal(layer.forward(np.ones((n, 1))), np.ones((n, 1)))


def test_stochastic_depth_goes_on_from_its_buffers():
    first, second = (nn.StochasticDepth(0.5, rng=np.random.default_rng(seed)) for seed in (8, 9))
    first.forward(np.ones((50, 1)), training=True)
    second.buffers.update({name: array.copy() for name, array in first.buffers.items()})
    draws = [layer.forward(np.ones((50, 1)), training=True) for layer in (first, second)]
    np.testing.assert_array_equal(draws[0], draws[1])
    with pytest.raises(
        InputError, match=r"^probability of stochastic depth: expected at least 0 and below 1, found 1"
    ):
        nn.StochasticDepth(1.0, rng=np.random.default_rng(0))


def test_standardise_takes_what_was_meant_for_pixels_in_0_to_1():
    pixels = np.random.default_rng(9).uniform(0, 1, (2, 3, 3, 2))
    mean, deviation = np.array([0.4, 0.5]), np.array([0.2, 0.25])
    layer = nn.Standardise(2 * mean - 1, 2 * deviation)
    given = 2 * pixels - 1
    kept = given.copy()
    np.testing.assert_allclose(layer.forward(given), (pixels - mean) / deviation, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(given, kept)  # others may read the images too


@pytest.mark.parametrize(
    ("mean", "deviation", "text"),
    [
        ((0.0, 0.0), (1.0,), "deviations: expected 2, as many as means, found 1"),
        ((0.0,), (0.0,), "means and deviations: expected finite numbers, deviations above 0, found means"),
        ((np.nan,), (1.0,), "expected finite numbers"),
    ],
)
def test_standardise_refuses_numbers_that_do_not_fit(mean, deviation, text):
    with pytest.raises(InputError, match=text):
        nn.Standardise(mean, deviation)
