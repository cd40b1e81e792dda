"""Layers that take outputs from anywhere above them: names, shapes, and gradients that add up."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.graph import Stage, nodes_of


def conv(n_in, n_out, size=3, padding=1, **options):
    return nn.Conv2d(
        n_in, n_out, size, 1, padding, rng=np.random.default_rng(n_in), dtype=np.float64, **options
    )


def head(n_in, n_labels=3):
    linear = nn.Linear(n_in, n_labels, rng=np.random.default_rng(0), dtype=np.float64)
    return Stage("head", {"flatten": nn.Flatten(), "linear": linear}, (n_labels,))


def residual():
    """Two residual blocks; the output of stage1 is read three times, the images twice."""
    first = {"conv": conv(2, 4), "norm": nn.BatchNorm2d(4, np.float64), "relu": nn.ReLU()}
    second = {"conv": conv(4, 4), "norm": nn.BatchNorm2d(4, np.float64), "sum": nn.Sum(), "relu": nn.ReLU()}
    third = {"conv": conv(4, 4), "again": conv(2, 4), "sum": nn.Sum(), "pool": nn.MaxPool2d(2)}
    stages = [
        Stage("stage1", first, (4, 4, 4)),
        Stage("stage2", second, (4, 4, 4), {"sum": ("stage2.norm", "stage1")}),
        Stage(
            "stage3",
            third,
            (2, 2, 4),
            {"again": ("input",), "sum": ("stage3.conv", "stage3.again", "stage1.relu")},
        ),
    ]
    return nn.Network(stages, head(16), (4, 4, 2), np.float64)


def test_nodes_name_their_inputs():
    network = residual()
    inputs = {node.name: node.inputs for node in network.nodes}
    assert list(inputs)[:4] == ["stage1.conv", "stage1.norm", "stage1.relu", "stage2.conv"]
    assert inputs["stage1.conv"] == ("input",)
    assert inputs["stage2.sum"] == ("stage2.norm", "stage1.relu")
    assert inputs["stage3.again"] == ("input",)
    assert inputs["head.flatten"] == ("stage3.pool",)
    assert network.nodes[0].layer is network.stages[0].layers["conv"]


def test_every_internal_is_the_one_computed_by_hand():
    network, x = residual(), np.random.default_rng(1).standard_normal((3, 4, 4, 2))
    names = [node.name for node in network.nodes]
    _, found = network.forward(x, taps=[*names, "stage2"], training=True)
    np.testing.assert_array_equal(found["stage2.sum"], found["stage2.norm"] + found["stage1.relu"])
    np.testing.assert_array_equal(found["stage2"], np.maximum(found["stage2.sum"], 0))
    total = found["stage3.conv"] + found["stage3.again"] + found["stage1.relu"]
    np.testing.assert_array_equal(found["stage3.sum"], total)
    np.testing.assert_array_equal(
        network.internals(x, ["stage3.again"])["stage3.again"], found["stage3.again"]
    )


def test_gradients_add_up_where_an_output_is_read_several_times(assert_gradients):
    network, rng = residual(), np.random.default_rng(2)
    x, slope = rng.standard_normal((3, 4, 4, 2)), rng.standard_normal((3, 3))

    def loss():
        return np.sum(slope * network.forward(x, training=True)[0])

    for _ in range(2):  # the second time over used memory
        loss()
        network.backward(slope)
    assert_gradients(network, loss, rng, relative=1e-6)


def test_gradient_of_an_internal_that_is_read_several_times():
    network, rng = residual(), np.random.default_rng(3)
    x, slope = rng.standard_normal((3, 4, 4, 2)), rng.standard_normal((3, 3))
    network.forward(x)
    names = [node.name for node in network.nodes] + ["stage1", "stage3"]
    found = network.backward(slope, taps=names)
    assert found.keys() == set(names)
    np.testing.assert_array_equal(found["stage1"], found["stage1.relu"])
    np.testing.assert_array_equal(found["stage3.conv"], found["stage3.sum"])
    assert_is_the_sum_of_its_readers(network, found)


def assert_is_the_sum_of_its_readers(network, found):
    """The gradient of stage1 comes from the convolution of stage2 and from the sums of stage2 and stage3."""
    weight = network.parameters()["stage2.conv.weight"]
    padded = np.pad(found["stage2.conv"], ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = found["stage2.sum"] + found["stage3.sum"]
    for y, x in np.ndindex(3, 3):
        expected += padded[:, 2 - y : 6 - y, 2 - x : 6 - x] @ weight[:, :, y, x]
    np.testing.assert_allclose(found["stage1"], expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("stages", "text"),
    [
        (
            [Stage("stage1", {"conv": conv(2, 4), "sum": nn.Sum()}, (), {"sum": ("stage1.cnov", "input")})],
            "input of stage1.sum: expected one of input, stage1.conv, found 'stage1.cnov'; "
            "did you mean 'stage1.conv'?",
        ),
        (
            [Stage("stage1", {"conv": conv(2, 4)}, (), {"sum": ("input",)})],
            "inputs of a layer of stage1: expected one of conv, found 'sum'",
        ),
        (
            [
                Stage(
                    "stage1", {"conv": conv(2, 4), "more": conv(4, 4)}, (), {"more": ("input", "stage1.conv")}
                )
            ],
            "inputs of stage1.more: expected one, as for every layer that joins none, found input, stage1.conv",
        ),
        (
            [
                Stage("stage1", {"conv": conv(2, 4)}, ()),
                Stage("stage2", {"relu": nn.ReLU(), "sum": nn.Sum()}, (), {"sum": ("stage2.relu", "stage1")}),
            ],
            "input of stage2.relu, which writes over it: expected an output that no other layer reads, "
            "found 'stage1.conv', which stage2.sum reads too",
        ),
        (
            [Stage("stage1", {"relu": nn.ReLU()}, ())],
            "input of stage1.relu, which writes over it: expected an output that no other layer reads, "
            "found 'input'",
        ),
    ],
)
def test_a_graph_that_cannot_be_computed_is_refused(stages, text):
    with pytest.raises(InputError) as error:
        nodes_of(stages)
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("layers", "shape", "text"),
    [
        (
            {"conv": conv(3, 4)},
            (4, 4, 4),
            "input of stage1.conv: expected shape (H, W, 3), found shape (4, 4, 2)",
        ),
        (
            {"conv": conv(2, 4, size=7, padding=0)},
            (1, 1, 4),
            "input of stage1.conv: expected shape (H, W, 2) with H >= 7 and W >= 7, found shape (4, 4, 2); "
            "use larger images or a network with fewer poolings",
        ),
        (
            {"conv": conv(2, 4), "norm": nn.BatchNorm2d(5, np.float64)},
            (4, 4, 4),
            "input of stage1.norm: expected shape (H, W, 5), found shape (4, 4, 4)",
        ),
        ({"conv": conv(2, 4)}, (4, 4, 5), "output_shape of stage1: expected (4, 4, 4), found (4, 4, 5)"),
        ({"conv": conv(2, 3)}, (4, 4, 3), "input of head.linear: expected shape (64,), found shape (48,)"),
    ],
)
def test_shapes_that_do_not_fit_name_the_layer_and_both_shapes(layers, shape, text):
    with pytest.raises(InputError) as error:
        nn.Network([Stage("stage1", layers, shape)], head(64), (4, 4, 2), np.float64)
    assert str(error.value) == text


def test_a_sum_of_different_shapes_is_refused():
    stage = Stage("stage1", {"conv": conv(2, 4), "sum": nn.Sum()}, (), {"sum": ("stage1.conv", "input")})
    with pytest.raises(InputError) as error:
        nn.Network([stage], head(64), (4, 4, 2), np.float64)
    assert str(error.value) == (
        "inputs of stage1.sum: expected the same shape, found (4, 4, 4) and (4, 4, 2)"
    )


def test_an_output_that_nobody_reads_is_refused():
    layers = {"conv": conv(2, 4), "more": conv(2, 4)}
    stage = Stage("stage1", layers, (4, 4, 4), {"more": ("input",)})
    with pytest.raises(InputError) as error:
        nn.Network([stage], head(64), (4, 4, 2), np.float64)
    assert (
        str(error.value) == "output of stage1.conv: expected a layer that reads it, found none; leave it out"
    )


def test_an_error_of_a_layer_at_work_names_it():
    with pytest.raises(InputError, match=r"^stage1.norm, batch in training mode: expected at least 2 inputs"):
        residual().forward(np.zeros((1, 4, 4, 2)), training=True)
