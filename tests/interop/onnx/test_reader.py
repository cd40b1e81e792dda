"""ONNX files are read back as networks with the same outputs; what they must not hold is named."""

import os
import sys

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.dense_layers import densified
from deeptheory.interop.onnx.reader import read_onnx
from deeptheory.interop.onnx.writer import write_onnx
from deeptheory.system import memory
from tests.interop.networks import (
    NETWORKS,
    compact_network,
    images_for,
    relative_difference,
    small,
    standardised,
)

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.usefixtures("one_thread")
FLOAT = onnx.TensorProto.FLOAT


@pytest.mark.parametrize("name", NETWORKS)
def test_what_we_write_is_read_back(path, name):
    network = small(name)
    write_onnx(path, network)
    again = read_onnx(path)
    images = images_for(network)
    np.testing.assert_array_equal(again.infer(images), network.infer(images))
    kept = {
        name: array for name, array in network.state().items() if not name.endswith((".seed", ".counter"))
    }
    assert again.state().keys() == kept.keys()
    for key, array in kept.items():
        np.testing.assert_array_equal(again.state()[key], array, err_msg=key)


@pytest.mark.parametrize("name", ["vgg6", "resnet20", "lenet"])
def test_the_architecture_is_the_one_that_was_written(path, name):
    network = small(name)
    write_onnx(path, network)
    again = read_onnx(path)
    assert [(node.name, node.inputs) for node in again.nodes] == [(n.name, n.inputs) for n in network.nodes]
    assert nn.blueprint_of(again) == nn.blueprint_of(network)


def test_compact_networks_and_units_of_pixels_are_read_back(path):
    for network in (densified(compact_network()), standardised()):
        write_onnx(path, network)
        again = read_onnx(path)
        images = images_for(network)
        np.testing.assert_array_equal(again.infer(images), network.infer(images))
        assert list(again.state()) == list(network.state())


def save(path, nodes, weights, entry=("N", 3, 8, 8), last="y", kind=FLOAT, opset=17, **options):
    """A file of the nodes between images x and y."""
    arrays = [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    ends = [
        onnx.helper.make_tensor_value_info("x", kind, entry),
        onnx.helper.make_tensor_value_info(last, kind, ("N", None)),
    ]
    graph = onnx.helper.make_graph(nodes, "test", ends[:1], ends[1:], arrays)
    imports = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("com.other", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=imports, ir_version=8), path, **options)


def node(kind, inputs, output, **attributes):
    return onnx.helper.make_node(kind, inputs.split(), [output], f"my {kind}", **attributes)


def weights(*shapes, dtype=np.float32):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def head(source, n_in, n_out=4):
    """Flatten and linear layer, and its weight."""
    return [node("Flatten", source, "flat"), node("Gemm", "flat w", "y", transB=1)], {
        "w": weights((n_out, n_in))[0]
    }


def run(path, images):
    session = pytest.importorskip("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": images.transpose(0, 3, 1, 2)})[0]


def check(path, n=3):
    """The network that is read computes what onnxruntime computes."""
    network = read_onnx(path)
    images = images_for(network, n)
    assert relative_difference(network.infer(images), run(path, images)) <= 1e-5
    return network


def test_linear_layers_in_all_their_forms(path):
    a, b, c, d, e = weights((192, 8), (8,), (6, 8), (6,), (6, 4))
    nodes = [
        node("Reshape", "x two", "f"),
        node("MatMul", "f a", "m"),
        node("Add", "b m", "p"),
        node("Relu", "p", "r"),
        node("Gemm", "r c d", "g", transB=1, alpha=0.5, beta=2.0),
        node("Identity", "g", "i"),
        node("Gemm", "i e", "y"),
    ]
    for one in nodes:
        one.name = ""
    two = np.array([-1, 192])
    save(path, nodes, {"two": two, "a": a, "b": b, "c": c, "d": d, "e": e})
    network = check(path)
    assert [list(s.layers) for s in (*network.stages, network.head)] == [
        ["flatten", "linear", "relu"],
        ["linear"],
        ["linear"],
    ]


def test_another_epsilon_goes_into_the_running_variance(path):
    weight, scale, bias, mean, variance = weights((8, 3, 3, 3), 8, 8, 8, 8)
    variance = np.abs(variance)
    nodes, more = head("n", 8 * 36)
    nodes = [
        node("Conv", "x k", "c"),
        node("BatchNormalization", "c s b m v", "n", epsilon=1e-3),
        *nodes,
    ]
    save(path, nodes, {"k": weight, "s": scale, "b": bias, "m": mean, "v": variance, **more})
    network = check(path)
    held = network.buffers()["stage1.norm.running_var"]
    np.testing.assert_allclose(held, variance + 1e-3 - 1e-5, rtol=1e-6)


def test_a_value_that_an_activation_would_overwrite_is_copied(path):
    nodes, more = head("s", 192)
    save(path, [node("Relu", "x", "r"), node("Add", "r x", "s"), *nodes], more)
    network = check(path)
    assert list(network.head.layers) == ["sum", "relu", "sum2", "flatten", "linear"]


def test_operators_that_the_output_does_not_need_are_left_out(path):
    nodes, more = head("x", 192)
    save(path, [node("Softplus", "x", "other"), node("Relu", "x", "another"), *nodes], more)
    assert len(check(path).nodes) == 2


def test_weights_in_half_precision_become_single(path):
    nodes, more = head("x", 192)
    more = {name: array.astype(np.float16) for name, array in more.items()}
    save(path, nodes, more, kind=onnx.TensorProto.FLOAT16)
    notes = []
    held = read_onnx(path, notes).parameters()["head.linear.weight"]
    assert notes == ["1 tensors of float16 are converted to float32"]
    assert held.dtype == np.float32
    np.testing.assert_array_equal(held, more["w"].astype(np.float32))


def test_weights_that_are_no_numbers_are_refused(path):
    nodes, more = head("x", 192)
    more["w"][1, 2] = np.nan
    save(path, nodes, more)
    with pytest.raises(
        InputError, match="constant 'w' of Gemm 'my Gemm': expected finite numbers, found others"
    ):
        read_onnx(path)


def test_double_precision_stays_double(path):
    nodes, more = head("x", 192)
    save(path, nodes, {"w": more["w"].astype(np.float64)}, kind=onnx.TensorProto.DOUBLE)
    assert read_onnx(path).dtype == np.float64


def test_all_operators_that_are_not_supported_are_named(path):
    nodes = [
        node("Softplus", "x", "a"),
        node("Selu", "a", "b"),
        onnx.helper.make_node("Magic", ["b"], ["c"], domain="com.other"),
        node("Softplus", "c", "d"),
    ]
    more, arrays = head("d", 192)
    save(path, nodes + more, arrays)
    expected = "operators: expected only Add, AveragePool, .*, found Selu, Softplus, com.other.Magic$"
    with pytest.raises(InputError, match=expected):
        read_onnx(path)


CONV = {"k": np.ones((4, 3, 3, 3), np.float32)}


@pytest.mark.parametrize(
    ("nodes", "arrays", "words"),
    [
        ([node("Conv", "x k", "c", pads=[0, 1, 0, 1])], CONV,
         r"padding of Conv 'my Conv': expected the same on all four sides, found \[0, 1, 0, 1\]"),
        ([node("Conv", "x k", "c", auto_pad="SAME_UPPER")], CONV,
         "padding of Conv 'my Conv': expected numbers, found SAME_UPPER"),
        ([node("Conv", "x k", "c", dilations=[2, 2])], CONV,
         r"dilation of Conv 'my Conv': expected 1, found \[2, 2\]"),
        ([node("Conv", "x k", "c", strides=[2, 1])], CONV,
         r"stride of Conv 'my Conv': expected the same along height and width, at least 1, found \[2, 1\]"),
        ([node("Conv", "x x", "c")], CONV,
         "input 2 of Conv 'my Conv': expected a constant, found the computed 'x'"),
        ([node("Conv", "x k", "c")], {"k": np.ones((4, 5, 3, 3), np.float32)},
         r"input of Conv 'my Conv': expected shape \(H, W, 5\) .*, found shape \(8, 8, 3\)"),
        ([node("AveragePool", "x", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1])], {},
         r"padding of AveragePool 'my AveragePool': expected none, found \[1, 1, 1, 1\]"),
        ([node("MaxPool", "x", "c", kernel_shape=[3, 3], pads=[2, 2, 2, 2])], {},
         r"padding of MaxPool 'my MaxPool': expected at most 1, half of its size, found 2"),
        ([node("MaxPool", "x", "c", kernel_shape=[3, 3], pads=[0, 0, 1, 1])], {},
         r"padding of MaxPool 'my MaxPool': expected the same on all four sides, found"),
        ([node("AveragePool", "x", "c", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)], {},
         "ceil_mode of AveragePool 'my AveragePool': expected 0, found 1"),
        ([node("AveragePool", "x", "c", kernel_shape=[3, 2])], {}, "kernel of AveragePool .*: expected the same"),
        ([node("ReduceMean", "x", "c", axes=[1])], {}, r"axes of ReduceMean .*: expected 2, 3 .*, found \[1\]"),
        ([node("Flatten", "x", "c", axis=2)], {}, "axis of Flatten 'my Flatten': expected 1, found 2"),
        ([node("Reshape", "x s", "c")], {"s": np.array([-1, 96])},
         r"shape of Reshape 'my Reshape': expected \(N, -1\) or \(-1, 192\), found \(-1, 96\)"),
        ([node("Sigmoid", "x", "c")], {},
         r"output of Sigmoid 'my Sigmoid': expected one that is multiplied .*SiLU"),
        ([node("Mul", "x x", "c")], {}, "inputs of Mul 'my Mul': expected SiLU .*, found 'x', 'x'"),
        ([node("Sub", "x x", "c")], {}, "inputs of Sub 'my Sub': expected a layer and one constant"),
        ([node("Div", "x s", "c")], {"s": np.ones(8, np.float32)},
         r"constant of Div 'my Div': expected one for each of 3 channels, found shape \(8,\)"),
        ([node("Mul", "x s", "c")], {"s": np.float32(-2)}, "means and deviations of Mul .*deviations above 0"),
        ([node("Relu", "x", "r"), node("Mul", "r s", "c")], {"s": np.float32(2)},
         "input of Mul 'my Mul': expected the images, where it is combined with a constant"),
        ([node("Pad", "x p", "c")], {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])},
         "padding of Pad 'my Pad': expected zeros behind the channels, and nowhere else"),
        ([node("Slice", "x s e a", "c")], {"s": np.array([1]), "e": np.array([9]), "a": np.array([2])},
         "range of Slice 'my Slice': expected every n-th position .*, found 1:9:1 of axis 2"),
        ([node("BatchNormalization", "x s s s v", "c", training_mode=1)],
         {"s": np.ones(3, np.float32), "v": np.ones(3, np.float32)}, "training_mode of BatchNormalization"),
        ([node("Unsqueeze", "x s", "c")], {"s": np.array([0])}, "input of Unsqueeze .*: expected one number for"),
        ([node("Relu", "x", "y")], {},
         "last operator: expected a linear layer, which gives the logits, found relu"),
    ],
)  # fmt: skip
def test_what_no_layer_of_ours_can_do_is_refused_by_name(path, nodes, arrays, words):
    more, weight = head("c", 192) if nodes[-1].output[0] == "c" else ([], {})
    if nodes[0].op_type == "BatchNormalization":
        nodes[0].output.extend(["m", "v2"])
    save(path, [*nodes, *more], {**arrays, **weight})
    with pytest.raises(InputError, match=words) as error:
        read_onnx(path)
    assert str(error.value).startswith(f"{path}, ")


def test_other_inputs_than_images_are_refused(path):
    nodes, more = head("x", 192)
    for entry, found in ((("N", 192), r"\(N, 192\)"), (("N", 3, "H", "W"), r"\(N, 3, H, W\)")):
        save(path, nodes, more, entry=entry)
        expected = rf"input 'x': expected images \(N, C, H, W\) with fixed C, H and W, found {found}"
        with pytest.raises(InputError, match=expected):
            read_onnx(path)
    save(path, nodes, more, kind=onnx.TensorProto.UINT8)
    with pytest.raises(InputError, match="input 'x': expected one of FLOAT, FLOAT16, DOUBLE, found UINT8"):
        read_onnx(path)


@pytest.mark.parametrize(
    ("nodes", "arrays", "words"),
    [
        ([node("MaxPool", "x", "c", kernel_shape=[2])], {}, r"kernel of MaxPool .*, at least 1, found \[2\]"),
        ([node("Conv", "x k b", "c")], {**CONV, "b": np.ones(3, np.float32)},
         r"input 3 of Conv 'my Conv': expected shape \(4,\), found shape \(3,\)"),
        ([node("Conv", "x k", "c", group=3)], {"k": np.ones((4, 1, 3, 3), np.float32)},
         "groups of Conv 'my Conv': expected a divisor of 4 outputs, found 3"),
        ([node("Flatten", "x", "f"), node("MatMul", "f a", "c")], {"a": np.ones(192, np.float32)},
         "axes of input 2 of MatMul 'my MatMul': expected 2, found 1"),
        ([node("Flatten", "x", "f"), node("Gemm", "f a b", "c")],
         {"a": np.ones((192, 4), np.float32), "b": np.ones(3, np.float32)},
         r"bias of Gemm 'my Gemm': expected one for each of 4 outputs, found shape \(3,\)"),
        ([node("BatchNormalization", "x s s s s", "c")], {"s": np.ones(2, np.float32)},
         r"input 2 of BatchNormalization .*: expected shape \(3,\), found shape \(2,\)"),
        ([node("Dropout", "s", "c")], {"s": np.ones(2, np.float32)}, "input 1 of Dropout .*the output of a layer"),
        ([node("Concat", "s t", "p", axis=0), node("Reshape", "x p", "c")],
         {"s": np.ones(2, np.int64), "t": np.ones((2, 2), np.int64)}, "Concat 'my Concat': expected constants"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused(path, nodes, arrays, words):
    more, weight = head("c", 192)
    save(path, [*nodes, *more], {**arrays, **weight})
    with pytest.raises(InputError, match=words):
        read_onnx(path)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.999])
def test_a_truncated_file_is_refused(path, share):
    write_onnx(path, small("lenet"))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"network\.onnx, ONNX file: expected"):
        read_onnx(path)


def test_external_data_are_read_and_missed(path, tmp_path):
    nodes, more = head("x", 192)
    save(path, nodes, more, save_as_external_data=True, location="weights.bin", size_threshold=0)
    np.testing.assert_array_equal(read_onnx(path).parameters()["head.linear.weight"], more["w"])
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(
        InputError, match=r"data of 'w': expected a file beside the network, found 'weights\.bin'"
    ):
        read_onnx(path)


@pytest.mark.parametrize("location", ["../outside.bin", "link.bin", "pipe.bin", "/etc/hostname", ""])
def test_external_data_anywhere_else_are_refused_unopened(tmp_path, location):
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "outside.bin").write_bytes(bytes(4 * 192 * 4))
    (inner / "link.bin").symlink_to("../outside.bin")
    os.mkfifo(inner / "pipe.bin")
    nodes, more = head("x", 192)
    save(inner / "network.onnx", nodes, more)
    model = onnx.load(inner / "network.onnx")
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    (inner / "network.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(
        InputError, match=f"expected a file beside the network, found '{location}'; do not trust"
    ):
        read_onnx(inner / "network.onnx")


BOMBS = {
    "filled": ([node("ConstantOfShape", "s", "c")], {"s": [2**33]}),
    "broadcast": ([node("Add", "row column", "c")], {"row": np.ones((1, 2**17)), "column": np.ones((2**17, 1))}),
    "doubled": (
        [node("Concat", f"c{i} c{i}", f"c{i + 1}", axis=0) for i in range(40)],
        {"c0": np.ones(2)},
    ),
    "gathered": ([node("Gather", "rows i", "c")], {"rows": np.ones((1, 2**17)), "i": np.zeros(2**17, np.int64)}),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_constants_that_grow_out_of_a_few_are_refused_before_they_are_made(path, name):
    nodes, constants = BOMBS[name]
    last, (flatten, gemm), more = nodes[-1].output[0], *head("x", 192)
    nodes = [*nodes, node("MatMul", f"x {last}", "z"), flatten, gemm, node("Add", "z y", "sum")]
    save(path, nodes, {**more, **constants}, last="sum")
    with pytest.raises(InputError, match=r"'my .*': expected at most \d+ numbers computed from constants"):
        read_onnx(path)


def test_constants_larger_than_the_memory_are_refused(path, monkeypatch):
    nodes, more = head("x", 192)
    nodes = [node("Transpose", "w", "v", perm=[0, 1]), nodes[0], node("Gemm", "flat v", "y", transB=1)]
    save(path, nodes, more | {"w": np.ones((400, 192), np.float32)})
    monkeypatch.setattr(memory, "free_memory", lambda: 1_300_000)
    with pytest.raises(InputError, match="'my Transpose': expected at most 80 % of the free memory"):
        read_onnx(path)


def test_a_sparse_constant_is_refused(path):
    values, places = (onnx.numpy_helper.from_array(np.array([1]), name) for name in "vp")
    sparse = onnx.helper.make_sparse_tensor(values, places, [2**40])
    nodes, more = head("x", 192)
    nodes = [node("Constant", "", "c", sparse_value=sparse), *nodes, node("Add", "y c", "sum")]
    nodes[0].ClearField("input")
    save(path, nodes, more, last="sum")
    with pytest.raises(InputError, match="expected a dense constant, found a sparse one"):
        read_onnx(path)


def test_more_layers_than_any_network_has_are_refused(path, monkeypatch):
    nodes, more = head("x", 192)
    monkeypatch.setattr("deeptheory.nn.layer_checks.MOST_LAYERS", 50)
    relus = [node("Relu", f"{'y' if not i else f'r{i}'}", f"r{i + 1}") for i in range(60)]
    save(path, [*nodes, *relus], more, last="r60")
    with pytest.raises(InputError, match="layers: expected at most 50, found more"):
        read_onnx(path)


def test_a_shape_that_is_not_that_of_the_numbers_is_refused(path):
    nodes, more = head("x", 192)
    save(path, nodes, more)
    model = onnx.load(path)
    model.graph.initializer[0].dims[0] = 3  # less than there are
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="tensor 'w': expected as many numbers as its shape says"):
        read_onnx(path)


def test_what_our_handlers_do_not_expect_is_named_with_its_operator(path):
    nodes, more = head("s", 192)
    slicing = node("Slice", "x starts ends axes", "s")
    save(path, [slicing, *nodes], {**more, "starts": [0], "ends": [2**31 - 1], "axes": [7]})
    with pytest.raises(
        InputError, match="of Slice 'my Slice': expected those that ONNX defines, found others"
    ):
        read_onnx(path)


def test_a_missing_file_and_a_missing_package_are_named(path, monkeypatch):
    with pytest.raises(InputError, match=r"network\.onnx, network: expected an ONNX file, found no such"):
        read_onnx(path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"package onnx: .*pip install 'deeptheory\[interop\]'"):
        read_onnx(path)
