"""GELU in the spellings of exporters, and layers over the last axis between two transpositions."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.onnx.reader import read_onnx
from tests.interop.onnx.test_reader import check, head, save, weights
from tests.interop.onnx.test_reader import node as named_node


def node(kind, inputs, output, **attributes):
    """A node without a name: a file may have only one of each."""
    made = named_node(kind, inputs, output, **attributes)
    made.name = ""
    return made


pytestmark = pytest.mark.usefixtures("one_thread")
ROOT, SLOPE, CUBIC = 2**0.5, (2 / np.pi) ** 0.5, 0.044715
NUMBERS = {
    "root": ROOT, "inverse": 1 / ROOT, "one": 1.0, "half": 0.5, "three": 3.0, "cubic": CUBIC, "slope": SLOPE,
}  # fmt: skip
CUBE = [node("Pow", "a three", "p"), node("Mul", "p cubic", "c"), node("Add", "a c", "s")]
PRODUCTS = [
    node("Mul", "a a", "q"),
    node("Mul", "q a", "p"),
    node("Mul", "p cubic", "c"),
    node("Add", "c a", "s"),
]
BENT = [node("Mul", "s slope", "u"), node("Tanh", "u", "t"), node("Add", "t one", "v")]
SPELLINGS = {
    "as PyTorch exports it": (
        nn.GELU,
        [
            node("Div", "a root", "d"), node("Erf", "d", "e"), node("Add", "e one", "f"),
            node("Mul", "a f", "g"), node("Mul", "g half", "b"),
        ],
    ),
    "half first": (
        nn.GELU,
        [
            node("Mul", "a inverse", "d"), node("Erf", "d", "e"), node("Add", "one e", "f"),
            node("Mul", "half a", "g"), node("Mul", "f g", "b"),
        ],
    ),
    "tanh with a power": (nn.TanhGELU, [*CUBE, *BENT, node("Mul", "a half", "h"), node("Mul", "h v", "b")]),
    "tanh with products": (
        nn.TanhGELU, [*PRODUCTS, *BENT, node("Mul", "half v", "h"), node("Mul", "a h", "b")],
    ),
}  # fmt: skip


def network_around(path, nodes, opset=17, **numbers):
    more, arrays = head("b", 192)
    arrays |= {name: np.float32(value) for name, value in (NUMBERS | numbers).items()}
    save(
        path, [node("Conv", "x k", "a"), *nodes, *more], arrays | {"k": weights((3, 3, 1, 1))[0]}, opset=opset
    )


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_it_is_found(path, spelling):
    kind, nodes = SPELLINGS[spelling]
    network_around(path, nodes)
    network = check(path)
    assert [type(node.layer) for node in network.nodes][1] is kind


@pytest.mark.parametrize(("form", "kind"), [("none", nn.GELU), ("tanh", nn.TanhGELU)])
def test_the_operator_of_newer_files(path, form, kind):
    network_around(path, [node("Gelu", "a", "b", approximate=form)], opset=20)
    assert [type(node.layer) for node in check(path).nodes][1] is kind


@pytest.mark.parametrize("number", [{"root": 1.4}, {"one": 2.0}, {"half": 1.0}])
def test_something_else_is_refused_by_its_operators(path, number):
    network_around(path, SPELLINGS["as PyTorch exports it"][1], **number)
    with pytest.raises(InputError, match=r"operators: expected only Add, .* found Erf$"):
        read_onnx(path)


def test_a_part_that_others_read_is_no_gelu(path):
    nodes = [*SPELLINGS["as PyTorch exports it"][1][:-1], node("Add", "f g", "h"), node("Mul", "h half", "b")]
    network_around(path, nodes)
    with pytest.raises(InputError, match=r"found Erf$"):
        read_onnx(path)


def last_axis(path, *middle, **arrays):
    """Images to (N, H, W, C), the nodes from a to b there, and back."""
    nodes = [
        node("Transpose", "x", "a", perm=[0, 2, 3, 1]),
        *middle,
        node("Transpose", "b", "c", perm=[0, 3, 1, 2]),
    ]
    more, parameters = head("c", 192)
    save(path, nodes + more, parameters | arrays)


def test_layers_over_the_last_axis(path):
    scale, shift, matrix, bias, more = weights((3,), (3,), (3, 3), (3,), (3,))
    nodes = [
        node("LayerNormalization", "a scale shift", "n", axis=-1, epsilon=1e-3),
        node("MatMul", "n matrix", "m"), node("Add", "m bias", "p"), node("Relu", "p", "r"),
        node("Mul", "r more", "b"),
    ]  # fmt: skip
    last_axis(path, *nodes, scale=scale, shift=shift, matrix=matrix, bias=bias, more=more)
    network = check(path)
    assert list(network.stages[0].layers) == ["layer_norm", "conv", "relu", "scale"]


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([node("MaxPool", "a", "b", kernel_shape=[2, 2])], r"input of MaxPool .*\(N, C, H, W\), found"),
        ([node("LayerNormalization", "a scale", "b", axis=1)], r"axis of LayerNormalization .*the last, found 1"),
        ([node("Transpose", "a", "b", perm=[0, 2, 1, 3])], r"permutation of Transpose .*\[0, 3, 1, 2\], found"),
        ([node("Mul", "a row", "b")], r"constant of Mul .*one for each of 3 channels, found shape \(8, 1\)"),
    ],
)  # fmt: skip
def test_what_no_layer_of_ours_does_is_refused(path, nodes, words):
    first = [node("Relu", "x", "y0")]
    scale, row = weights((3,), (8, 1))
    more, parameters = head("c", 192)
    start = node("Transpose", "y0", "a", perm=[0, 2, 3, 1])
    end = node("Transpose", "b", "c", perm=[0, 3, 1, 2])
    save(path, [*first, start, *nodes, end, *more], parameters | {"scale": scale, "row": row})
    with pytest.raises(InputError, match=words):
        read_onnx(path)


def test_layer_norm_over_a_row_of_the_image_is_refused(path):
    more, parameters = head("b", 192)
    scale = weights((8,))[0]
    save(path, [node("LayerNormalization", "x scale", "b"), *more], parameters | {"scale": scale})
    with pytest.raises(
        InputError, match=r"input of LayerNormalization .*channels on the last axis, found images"
    ):
        read_onnx(path)
