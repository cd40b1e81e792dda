"""ONNX files give onnxruntime what the network computes."""

import sys

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.onnx.writer import write_onnx
from tests.interop.networks import (
    NETWORKS,
    TRANSFORMERS,
    compact_network,
    images_for,
    relative_difference,
    settled,
    small,
    standardised,
)

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.usefixtures("one_thread")


def logits(path, images):
    """What onnxruntime computes of images (N, H, W, C)."""
    options = pytest.importorskip("onnxruntime").SessionOptions()
    options.intra_op_num_threads = 1
    session = sys.modules["onnxruntime"].InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"images": images.transpose(0, 3, 1, 2).astype(np.float32)})[0]


@pytest.mark.parametrize("name", NETWORKS | TRANSFORMERS)
def test_onnxruntime_computes_the_same_for_batches_of_any_size(path, name):
    network = small(name)
    write_onnx(path, network)
    for n in (1, 5):
        images = images_for(network, n)
        assert relative_difference(logits(path, images), network.infer(images)) <= 1e-5


def test_units_of_pixels_are_part_of_the_file(path):
    network = standardised()
    write_onnx(path, network)
    images = images_for(network)
    assert relative_difference(logits(path, images), network.infer(images)) <= 1e-5


def test_a_compact_network_is_written_with_zeros_for_removed_kernels(path):
    network = compact_network()
    write_onnx(path, network)
    images = images_for(network)
    assert relative_difference(logits(path, images), network.infer(images)) <= 1e-5
    arrays = {w.name: onnx.numpy_helper.to_array(w) for w in onnx.load(path).graph.initializer}
    layer = network.stage("stage4").layers["conv"]
    weight = arrays["stage4.conv.weight"]
    assert np.count_nonzero(weight.any(axis=(2, 3))) == layer.n_kept < weight.shape[0] * weight.shape[1]
    assert weight.shape[:2] == (layer.n_out, layer.n_in)


def test_layers_that_no_architecture_of_ours_combines(path):
    rng = np.random.default_rng(0)
    stages = [
        nn.Stage(
            "one",
            {
                "conv": nn.Conv2d(3, 4, (3, 5), 2, 2, True, rng=rng),
                "copy": nn.Sum(),
                "half": nn.Subsample(4, 2),
                "pool": nn.AvgPool2d(2, 1),
                "three": nn.Sum(),
                "twice": nn.Concat(),
                "grouped": nn.Conv2d(8, 8, 3, 1, 1, groups=2, rng=rng),
                "squeeze": nn.HardSqueezeExcitation(8, 2, rng=rng),
                "hardswish": nn.HardSwish(),
                "relu6": nn.ReLU6(),
                "scale": nn.LayerScale(8),
                "layer_norm": nn.LayerNorm(8),
                "gelu": nn.GELU(),
                "tanh_gelu": nn.TanhGELU(),
            },
            (),
            {"three": ("one.pool",) * 3, "twice": ("one.three", "one.pool")},
        ),
        nn.Stage(
            "head",
            {
                "pool": nn.GlobalAveragePool(),
                "layer_norm": nn.LayerNorm(8),
                "linear": nn.Linear(8, 4, True, rng=rng),
            },
            (),
        ),
    ]
    network = settled(nn.assemble(stages, (13, 16, 3), np.float32))
    write_onnx(path, network)
    images = images_for(network)
    assert relative_difference(logits(path, images), network.infer(images)) <= 1e-5


def test_double_precision_is_written_as_single(path):
    network = small("resnet20", np.float64)
    write_onnx(path, network)
    images = images_for(network)
    found = logits(path, images)
    assert found.dtype == np.float32
    assert relative_difference(found, network.infer(images)) <= 1e-5


def test_the_file_says_what_goes_in_and_out(path):
    write_onnx(path, small("lenet"))
    graph = onnx.load(path).graph
    sizes = [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
             for v in (*graph.input, *graph.output)]  # fmt: skip
    assert [v.name for v in (*graph.input, *graph.output)] == ["images", "logits"]
    assert sizes == [["N", 3, 16, 16], ["N", 4]]


def test_a_layer_that_cannot_be_exported_is_named(path):
    class Noise(nn.Layer):
        pass

    head = nn.Stage("head", {"noise": Noise()}, (4,))
    with pytest.raises(InputError, match=r"layer: expected one of AvgPool2d, .*, found 'Noise'"):
        write_onnx(path, nn.Network((), head, (4,)))
    assert not path.exists()


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"ONNX file .*: expected a place that can be written, found .*No such"
    ):
        write_onnx(tmp_path / "none" / "network.onnx", small("lenet"))


def test_without_onnx_it_is_said_what_installs_it(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"package onnx: .*pip install 'deeptheory\[interop\]'"):
        write_onnx(path, small("lenet"))
