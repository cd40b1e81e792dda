"""Layers that keep some of their kernels, against dense layers with zeros in their place."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.kernels import definitions
from deeptheory.nn.kernels.vectors import explicit
from deeptheory.system import threadpools

TOLERANCE = 1e-5  # relative to the largest value
STARTS, INPUTS, VALUES = np.array([0, 2, 2, 3]), np.array([0, 3, 1]), np.ones((3, 3, 3), np.float32)


def assert_close(found, expected, tolerance=TOLERANCE):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def masked_network(name, dtype=np.float32, cut=0, **options):
    """A network with random masks over its kernels (three quarters are removed), and the masks by layer."""
    network = nn.build(name, 5, rng=np.random.default_rng(0), dtype=dtype, **options)
    rng, masks = np.random.default_rng(1), {}
    for node in network.nodes:
        for array in (*node.layer.parameters.values(), *node.layer.buffers.values()):
            if array.ndim == 1:
                array += rng.uniform(0.1, 0.5, array.shape).astype(dtype)
        if isinstance(node.layer, nn.Conv2d | nn.Linear):
            weight = node.layer.parameters["weight"]
            n_in = weight.shape[1] if weight.ndim == 4 else weight.shape[1] // 4
            mask = masks[node.name] = rng.random((len(weight), n_in)) < 0.25
            weight.reshape(len(weight), n_in, -1)[~mask] = 0
    return network, masks


def sparse_twin(network, masks):
    """The network with its masked layers made sparse."""
    stages = []
    for stage in (*network.stages, network.head):
        layers = dict(stage.layers)
        for key, layer in layers.items():
            kept, bias = masks.get(f"{stage.name}.{key}"), layer.parameters.get("bias")
            if isinstance(layer, nn.Conv2d):
                layers[key] = nn.SparseConv2d.from_dense(
                    layer.parameters["weight"], kept, layer.stride, layer.padding, bias
                )
            elif isinstance(layer, nn.Linear):
                layers[key] = nn.SparseLinear.from_dense(layer.parameters["weight"], kept, bias)
        stages.append(nn.Stage(stage.name, layers, stage.output_shape))
    return nn.Network(stages[:-1], stages[-1], network.input_shape, network.dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("stride", "padding", "size"), [(1, 1, 3), (2, 0, 3), (1, 2, 5), (1, 0, 1)])
def test_sparse_convolution_agrees_with_its_definition(size, stride, padding, dtype):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((3, 6, 7, 5)), rng.standard_normal((4, 5, size, size))
    kept, bias = rng.random((4, 5)) < 0.4, rng.standard_normal(4)
    kept[2] = False
    layer = nn.SparseConv2d.from_dense(weight.astype(dtype), kept, stride, padding, bias.astype(dtype))
    csr = layer.buffers["starts"], layer.buffers["inputs"], weight[kept]
    expected = definitions.sparse_convolution(x, *csr, stride, padding) + bias
    with threadpools.kernel_threads():
        assert_close(layer.forward(x.astype(dtype)), expected, 1e-6 if dtype == np.float32 else 1e-12)
    dense = np.where(kept[..., None, None], weight, 0)
    assert_close(expected, definitions.convolution(x, dense, stride, padding) + bias, 1e-12)


def test_sparse_linear_agrees_with_the_dense_product():
    rng = np.random.default_rng(0)
    weight, x = rng.standard_normal((6, 4, 9)), rng.standard_normal((3, 36))
    kept, bias = rng.random((6, 4)) < 0.5, rng.standard_normal(6)
    kept[3] = False
    layer = nn.SparseLinear.from_dense(weight.reshape(6, 36), kept, bias)
    expected = x @ np.where(kept[..., None], weight, 0).reshape(6, 36).T + bias
    np.testing.assert_allclose(layer.forward(x), expected, rtol=1e-12, atol=1e-12)
    assert layer.multiply_adds((36,)) == 9 * kept.sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vgg6", {"width": 0.25, "input_shape": (32, 32, 3)}),
        ("vgg6", {"width": 0.3, "input_shape": (32, 32, 3)}),
        ("lenet", {"width": 1, "input_shape": (16, 16, 1)}),
    ],
)
def test_sparse_network_agrees_with_the_masked_one(name, options, dtype):
    network, masks = masked_network(name, dtype, **options)
    twin = sparse_twin(network, masks)
    x = np.random.default_rng(2).standard_normal((21, *network.input_shape)).astype(dtype)
    ends = [step.nodes[-1].name for step in twin.steps]
    every = [node.name for node in twin.nodes]
    expected, internals = network.forward(x, taps=every)
    assert_close(twin.infer(x), expected)
    for taps in (ends, every):
        logits, found = twin.forward(x, taps=taps)
        assert_close(logits, expected)
        for tap in taps:
            assert_close(found[tap], internals[tap])
    dense = network.multiply_adds()
    for layer, count in twin.multiply_adds().items():
        assert count == pytest.approx(dense[layer] * masks[layer].mean())
    fresh = sparse_twin(*masked_network(name, dtype, **options))
    for array in fresh.parameters().values():
        array[:] = 0
    fresh.load_state(twin.state())
    np.testing.assert_array_equal(fresh.infer(x), twin.infer(x))


@pytest.mark.skipif(not explicit(np.float32), reason="needs explicit vectors")
def test_consecutive_sparse_convolutions_are_one_chain():
    rng = np.random.default_rng(0)

    def sparse(n_in, n_out, size=3, bias=None):
        weight = rng.standard_normal((n_out, n_in, size, size), np.float32)
        kept = rng.random((n_out, n_in)) < 0.6
        return nn.SparseConv2d.from_dense(weight, kept, 1, size // 2, bias)

    norm = nn.BatchNorm2d(5)
    for array in (*norm.parameters.values(), *norm.buffers.values()):
        array += rng.uniform(0.1, 0.5, 5).astype(np.float32)
    bias = rng.standard_normal(5).astype(np.float32)
    layers = {
        "first": sparse(3, 5, bias=bias), "norm": norm, "silu": nn.SiLU(), "pool": nn.MaxPool2d(2),
        "second": sparse(5, 7), "relu": nn.ReLU(),
        "third": sparse(7, 6, bias=np.ones(6, np.float32)),
        "wide": sparse(6, 4, size=5), "last": sparse(4, 4), "odd pool": nn.MaxPool2d(3),
    }  # fmt: skip
    stage = nn.Stage("stage1", layers, (2, 2, 4))
    head = nn.Stage("head", {"flatten": nn.Flatten(), "linear": nn.Linear(16, 3, rng=rng)}, (3,))
    network = nn.Network([stage], head, (12, 12, 3))
    assert [len(step.nodes) for step in network.steps] == [7, 1, 1, 1, 1, 1]
    x = rng.standard_normal((18, 12, 12, 3)).astype(np.float32)
    expected = x
    for layer in (*layers.values(), *head.layers.values()):
        expected = layer.forward(expected).copy()
    assert_close(network.infer(x), expected)
    shown = network.internals(x, ["stage1.norm", "stage1.third"])
    conv = definitions.sparse_convolution(x, *csr_of(layers["first"]), 1, 1) + bias
    assert_close(shown["stage1.norm"], norm.normalise(conv.astype(np.float32)))
    assert_close(network.forward(x, taps=["stage1.second"])[0], expected)


def csr_of(layer):
    return layer.buffers["starts"], layer.buffers["inputs"], layer.parameters["values"]


def test_a_sparse_network_is_not_trained():
    network, masks = masked_network("vgg6", width=0.25, input_shape=(32, 32, 3))
    twin, x = sparse_twin(network, masks), np.ones((4, 32, 32, 3), np.float32)
    text = "training of SparseConv2d: expected a layer that is trained, found one that only computes outputs"
    with pytest.raises(InputError, match=text):
        twin.forward(x, training=True)
    logits, _ = twin.forward(x)
    with pytest.raises(InputError, match="training of SparseLinear: expected a layer that is trained"):
        twin.backward(np.ones_like(logits))
    with pytest.raises(InputError, match=text):
        twin.steps[0].layer.backward(np.ones((4, 2, 2, 128), np.float32))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"starts": [0, 2, 1, 3]}, "starts of SparseConv2d: expected numbers that do not fall, from 0 to 3"),
        ({"starts": [0, 2, 2, 2]}, "starts of SparseConv2d: expected numbers that do not fall, from 0 to 3"),
        ({"starts": [1, 2, 2, 3]}, "starts of SparseConv2d: expected numbers that do not fall, from 0 to 3"),
        ({"inputs": [0, 4, 1]}, "inputs of SparseConv2d: expected 3 numbers from 0 to 3, found shape"),
        ({"inputs": [0, 1]}, "inputs of SparseConv2d: expected 3 numbers from 0 to 3, found shape"),
        ({"inputs": [3, 0, 1]}, "inputs of SparseConv2d: expected each input once for an output, ascending"),
        ({"inputs": [3, 3, 1]}, "inputs of SparseConv2d: expected each input once for an output, ascending"),
        ({"bias": [0.0]}, "bias of SparseConv2d: expected shape (3,), found shape (1,)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, text):
    arrays = {"starts": STARTS, "inputs": INPUTS, "values": VALUES, "bias": None}
    arrays |= {name: np.array(value) for name, value in changes.items()}
    bias = arrays.pop("bias")
    with pytest.raises(InputError) as error:
        nn.SparseConv2d(*arrays.values(), 4, 1, 1, bias)
    assert str(error.value).startswith(text)


def test_arrays_replaced_by_others_are_checked_and_used():
    layer, x = nn.SparseConv2d(STARTS, INPUTS, VALUES, 4, 1, 1), np.ones((1, 4, 4, 4), np.float32)
    x[..., 2] = 2
    before = layer.forward(x).copy()
    layer.buffers["inputs"] = np.array([0, 2, 1])
    after = layer.forward(x)
    assert_close(after[..., 0], 1.5 * before[..., 0])
    layer.buffers["inputs"] = np.array([0, 9, 1])
    with pytest.raises(InputError, match="inputs of SparseConv2d: expected 3 numbers from 0 to 3"):
        layer.forward(x)
    with pytest.raises(ValueError, match="read-only"):
        layer.buffers["starts"][0] = 1


@pytest.mark.parametrize("kept", [np.ones((3, 2), bool), np.ones((3, 4))], ids=["shape", "numbers"])
def test_a_choice_of_kernels_that_does_not_fit_is_refused(kept):
    with pytest.raises(InputError, match=r"^kernels kept: expected bool array of shape \(3, 4\), found"):
        nn.SparseConv2d.from_dense(np.ones((3, 4, 3, 3)), kept, 1, 1)


def test_a_batch_that_does_not_fit_names_the_layer():
    layer = nn.SparseConv2d(STARTS, INPUTS, VALUES, 4, 1, 1)
    with pytest.raises(InputError, match=r"^input of SparseConv2d: expected shape \(H, W, 4\), found"):
        layer.forward(np.ones((1, 4, 4, 5), np.float32))
