"""Write a network as an ONNX file, for inference engines."""

import os
from collections.abc import Mapping, Sequence
from functools import singledispatchmethod
from pathlib import Path
from typing import Any

import numpy as np

import deeptheory
from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.dense_layers import densified
from deeptheory.interop.optional_packages import needed
from deeptheory.nn.graph import INPUT
from deeptheory.nn.kernels.definitions import sine_positions
from deeptheory.nn.kernels.gelu import CUBIC, SLOPE
from deeptheory.nn.layers.base import Array, Shape
from deeptheory.nn.layers.normalisation import EPSILON
from deeptheory.nn.layers.tokens import PADDING
from deeptheory.store.atomic_files import replacing_file

OPSET, IR_VERSION = 17, 8  # of 2022, so that older engines read it too
IMAGES, LOGITS, BATCH = "images", "logits", "N"


def write_onnx(path: str | os.PathLike[str], network: nn.Network) -> None:
    """Write the network in its evaluation mode; an existing file of that name is replaced.

    Parameters
    ----------
    path : path
        Its directory must exist.
    network : Network
        Written in single precision.

    Raises
    ------
    InputError
        onnx is not installed, a layer has no counterpart, or the file cannot be written.

    Notes ----- Input ``images``: float32 (N, C, H, W), any N, pixels scaled to [-1, 1] (`data.scale`), not grey
    levels. Output ``logits``: (N, K). Weights have our dotted names. Removed kernels are zeros in dense weights,
    since ONNX has no sparse convolution: the file of a masked network is as large and as slow as that of the dense
    network. Filters that were removed from a compact network are not in the file. Stochastic depth is left out: it
    acts in training only.
    """
    onnx = needed("onnx")
    model = _Graph(onnx, densified(network)).model()
    onnx.checker.check_model(model, full_check=True)
    try:
        with replacing_file(Path(path)) as temporary:
            temporary.write_bytes(model.SerializeToString())
    except OSError as error:
        raise InputError(f"ONNX file {path}", "a place that can be written", str(error)) from error


class _Graph:
    """ONNX nodes and weights of a network, layer by layer."""

    def __init__(self, onnx: Any, network: nn.Network) -> None:
        self.onnx, self.network = onnx, network
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.values = {INPUT: IMAGES}

    def model(self) -> Any:
        """The complete model."""
        helper, (height, width, channels) = self.onnx.helper, self.network.input_shape
        for node in self.network.nodes:
            self.name = node.name
            self.values[node.name] = node.name
            self._write(node.layer, *(self.values[name] for name in node.inputs))
        self._add("Identity", [self.values[self.network.nodes[-1].name]], LOGITS)
        shapes = {IMAGES: [BATCH, channels, height, width], LOGITS: [BATCH, self.network.n_labels]}
        ends = {
            name: helper.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        }
        graph = helper.make_graph(self.nodes, "deeptheory", [ends[IMAGES]], [ends[LOGITS]], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        model.producer_name, model.producer_version = "deeptheory", deeptheory.__version__
        return model

    def _add(self, operator: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Add a node; its output has the name of the layer unless another is given."""
        output = output or self.name
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    def _weight(self, key: str, array: Array) -> str:
        name, array = f"{self.name}.{key}", np.ascontiguousarray(array)
        if np.issubdtype(array.dtype, np.floating):
            array = array.astype(np.float32)
        self.weights.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def _number(self, key: str, value: float) -> str:
        return self._weight(key, np.array(value, np.float32))

    def _weights(self, named: Mapping[str, Array]) -> list[str]:
        return [self._weight(key, named[key]) for key in ("weight", "bias") if key in named]

    @singledispatchmethod
    def _write(self, layer: nn.Layer, x: str, *others: str) -> None:
        """Add the nodes that compute a layer."""
        raise InputError(f"layer {self.name}", "one that ONNX can express", type(layer).__name__)

    @_write.register
    def _(self, layer: nn.Conv2d, x: str) -> None:
        strides, pads = [layer.stride] * 2, [layer.padding] * 4
        inputs = [x, *self._weights(layer.parameters)]
        self._add("Conv", inputs, strides=strides, pads=pads, group=layer.groups)

    @_write.register
    def _(self, layer: nn.Linear, x: str) -> None:
        self._add("Gemm", [x, *self._weights(layer.parameters)], transB=1)

    @_write.register
    def _(self, layer: nn.BatchNorm2d, x: str) -> None:
        running = [self._weight(name, layer.buffers[name]) for name in ("running_mean", "running_var")]
        inputs = [x, *self._weights(layer.parameters), *running]
        self._add("BatchNormalization", inputs, epsilon=EPSILON)

    @_write.register
    def _(self, layer: nn.Standardise, x: str) -> None:
        mean, deviation = (np.reshape(numbers, (-1, 1, 1)) for numbers in (layer.mean, layer.deviation))
        centred = self._add("Sub", [x, self._weight("mean", mean)], f"{self.name}.centred")
        self._add("Div", [centred, self._weight("deviation", deviation)])

    @_write.register
    def _(self, layer: nn.ReLU, x: str) -> None:
        self._add("Relu", [x])

    @_write.register
    def _(self, layer: nn.ReLU6, x: str) -> None:
        self._add("Clip", [x, self._number("least", 0), self._number("most", 6)])

    @_write.register
    def _(self, layer: nn.HardSwish, x: str) -> None:
        self._add("HardSwish", [x])

    @_write.register
    def _(self, layer: nn.SiLU, x: str) -> None:
        self._add("Mul", [x, self._add("Sigmoid", [x], f"{self.name}.sigmoid")])

    @_write.register
    def _(self, layer: nn.GELU, x: str) -> None:
        scaled = self._add("Div", [x, self._number("root", np.sqrt(2))], f"{self.name}.scaled")
        self._gelu(x, self._add("Erf", [scaled], f"{self.name}.erf"))

    @_write.register
    def _(self, layer: nn.TanhGELU, x: str) -> None:
        cube = self._add("Pow", [x, self._number("power", 3)], f"{self.name}.cube")
        cubic = self._add("Mul", [cube, self._number("cubic", CUBIC)], f"{self.name}.added")
        total = self._add("Add", [x, cubic], f"{self.name}.total")
        scaled = self._add("Mul", [total, self._number("slope", SLOPE)], f"{self.name}.scaled")
        self._gelu(x, self._add("Tanh", [scaled], f"{self.name}.tanh"))

    def _gelu(self, x: str, bend: str) -> None:
        """x*(1 + bend)/2."""
        above = self._add("Add", [bend, self._number("one", 1)], f"{self.name}.above")
        product = self._add("Mul", [x, above], f"{self.name}.product")
        self._add("Mul", [product, self._number("half", 0.5)])

    @_write.register
    def _(self, layer: nn.LayerScale, x: str) -> None:
        weight, axes = layer.parameters["weight"], [1] * (len(self._input_shape()) - 1)
        self._add("Mul", [x, self._weight("weight", weight.reshape(-1, *axes))])

    @_write.register
    def _(self, layer: nn.LayerNorm, x: str) -> None:
        weights, image = self._weights(layer.parameters), len(self._input_shape()) == 3
        if image:  # the operator normalises over the last axes
            x = self._add("Transpose", [x], f"{self.name}.last", perm=[0, 2, 3, 1])
        name = f"{self.name}.normalised" if image else ""
        x = self._add("LayerNormalization", [x, *weights], name, axis=-1, epsilon=layer.epsilon)
        if image:
            self._add("Transpose", [x], perm=[0, 3, 1, 2])

    @_write.register(nn.MaxPool2d)
    @_write.register(nn.AvgPool2d)
    def _(self, layer: nn.MaxPool2d | nn.AvgPool2d, x: str) -> None:
        operator = "MaxPool" if isinstance(layer, nn.MaxPool2d) else "AveragePool"
        strides, pads = [layer.stride] * 2, [layer.padding] * 4
        options: dict[str, Any] = {"ceil_mode": 1} if layer.ceil_mode else {}
        self._add(operator, [x], kernel_shape=[layer.size] * 2, strides=strides, pads=pads, **options)

    @_write.register
    def _(self, layer: nn.GlobalAveragePool, x: str) -> None:
        self._add("ReduceMean", [x], axes=[2, 3], keepdims=0)

    @_write.register
    def _(self, layer: nn.Flatten, x: str) -> None:
        self._add("Flatten", [x])  # filter by filter, as ours

    @_write.register
    def _(self, layer: nn.Sum, *terms: str) -> None:
        if len(terms) == 1:
            self._add("Identity", terms)
        total = terms[0]
        for number, term in enumerate(terms[1:], start=2):
            last = number == len(terms)
            total = self._add("Add", [total, term], "" if last else f"{self.name}.{number}")

    @_write.register
    def _(self, layer: nn.Concat, *parts: str) -> None:
        self._add("Concat", parts, axis=1)

    @_write.register
    def _(self, layer: nn.Subsample, x: str) -> None:
        ends = {"starts": [0, 0], "ends": [2**31 - 1] * 2, "axes": [2, 3], "steps": [layer.stride] * 2}
        where = [self._weight(key, np.array(value, np.int64)) for key, value in ends.items()]
        kept = self._add("Slice", [x, *where], f"{self.name}.kept")
        n_zeros = layer.n_out - self._input_shape()[-1]
        self._add("Pad", [kept, self._weight("pads", np.array([0] * 5 + [n_zeros, 0, 0], np.int64))])

    def _input_shape(self) -> Shape:
        """Shape of what the layer takes, (H, W, C) or (C,)."""
        node = next(node for node in self.network.nodes if node.name == self.name)
        before = node.inputs[0]
        return self.network.input_shape if before == INPUT else self.network.output_shape(before)

    @_write.register
    def _(self, layer: nn.SqueezeExcitation, x: str) -> None:
        factors = self._add("GlobalAveragePool", [x], f"{self.name}.mean")
        for side in ("reduce", "expand"):
            weight = self._weight(f"{side}_weight", layer.parameters[f"{side}_weight"][:, :, None, None])
            bias = self._weight(f"{side}_bias", layer.parameters[f"{side}_bias"])
            linear = self._add("Conv", [factors, weight, bias], f"{self.name}.{side}")
            if isinstance(layer, nn.HardSqueezeExcitation):
                factors = self._hard_activation(side, linear)
                continue
            factors = self._add("Sigmoid", [linear], f"{linear}.sigmoid")
            if side == "reduce":
                factors = self._add("Mul", [linear, factors], f"{linear}.silu")
        self._add("Mul", [x, factors])

    def _hard_activation(self, side: str, x: str) -> str:
        """The activation behind one of the matrices of a squeeze-and-excitation."""
        if side == "reduce":
            return self._add("Relu", [x], f"{x}.relu")
        return self._add("HardSigmoid", [x], f"{x}.sigmoid", alpha=1 / 6, beta=0.5)

    @_write.register(nn.StochasticDepth)
    @_write.register(nn.Dropout)
    def _(self, layer: nn.StochasticDepth | nn.Dropout, x: str) -> None:
        self.values[self.name] = x

    # Tokens (N, T, 1, C) are (N, C, T, 1), and heads (N, T, d, heads) are (N, heads, T, d).

    @_write.register
    def _(self, layer: nn.Tokens, x: str) -> None:
        self._reshaped(x, "", 0, self._input_shape()[2], -1, 1)

    def _reshaped(self, x: str, key: str, *shape: int) -> str:
        """Add a reshape; 0 leaves an axis as it is."""
        target = self._weight(f"{key or 'out'}_shape", np.array(shape, np.int64))
        return self._add("Reshape", [x, target], f"{self.name}.{key}" if key else "")

    @_write.register
    def _(self, layer: nn.Positions, x: str) -> None:
        self._add_rows(x, layer.parameters["weight"])

    @_write.register
    def _(self, layer: nn.SinePositions, x: str) -> None:
        self._add_rows(x, sine_positions(self._input_shape()[0], self._input_shape()[2]))

    def _add_rows(self, x: str, rows: Array) -> None:
        """Add rows (T', C) to tokens, of which there may be fewer."""
        rows = rows[: self.network.output_shape(self.name)[0]]
        self._add("Add", [x, self._weight("weight", rows.T[None, :, :, None])])

    @_write.register
    def _(self, layer: nn.ClassToken, x: str) -> None:
        pads = self._weight("pads", np.array([0, 0, 1, 0, 0, 0, 0, 0], np.int64))
        rows = np.zeros((self.network.output_shape(self.name)[0], len(layer.parameters["weight"])))
        rows[0] = layer.parameters["weight"]
        self._add_rows(self._add("Pad", [x, pads], f"{self.name}.padded"), rows)

    @_write.register
    def _(self, layer: nn.FirstToken, x: str) -> None:
        first = self._weight("first", np.array(0, np.int64))
        self._add("Flatten", [self._add("Gather", [x, first], f"{self.name}.token", axis=2)])

    @_write.register
    def _(self, layer: nn.SequencePool, x: str, *kept: str) -> None:
        weight = self._weight("weight", layer.parameters["weight"][None, :, None, None])
        scores = self._kept(self._add("Conv", [x, weight], f"{self.name}.scores"), *kept)
        shares = self._add("Softmax", [scores], f"{self.name}.shares", axis=2)
        product = self._add("Mul", [x, shares], f"{self.name}.product")
        self._add("ReduceSum", [product, self._weight("axes", np.array([2, 3], np.int64))], keepdims=0)

    def _kept(self, scores: str, *kept: str) -> str:
        """Scores with those of padding, where `kept` is 0, so low that a softmax leaves none of them."""
        if not kept:
            return scores
        lost = self._add("Equal", [kept[0], self._number("zero", 0)], f"{self.name}.lost")
        return self._add("Where", [lost, self._number("lowest", -1e30), scores], f"{self.name}.kept")

    @_write.register
    def _(self, layer: nn.SelfAttention, x: str, *kept: str) -> None:
        heads, channels, _, depth = layer.parameters["weight"].shape
        parts = {}
        for number, part in enumerate(("queries", "keys", "values")):
            rows = layer.parameters["weight"][:, :, number].transpose(0, 2, 1)
            inputs = [x, self._weight(f"{part}_weight", rows.reshape(heads * depth, channels, 1, 1))]
            if "bias" in layer.parameters:
                bias = layer.parameters["bias"].reshape(heads, 3, depth)[:, number]
                inputs.append(self._weight(f"{part}_bias", bias.ravel()))
            linear = self._add("Conv", inputs, f"{self.name}.{part}")
            parts[part] = self._reshaped(linear, f"{part}_of_heads", 0, heads, depth, -1)
        turned = self._add("Transpose", [parts["queries"]], f"{self.name}.turned", perm=[0, 1, 3, 2])
        scale = self._number("scale", 1 / np.sqrt(depth))
        queries = self._add("Mul", [turned, scale], f"{self.name}.scaled")
        scores = self._add("MatMul", [queries, parts["keys"]], f"{self.name}.scores")
        if kept:  # by key, the last axis
            mask = self._add("Transpose", [kept[0]], f"{self.name}.mask", perm=[0, 1, 3, 2])
            scores = self._kept(scores, mask)
        shares = self._add("Softmax", [scores], f"{self.name}.shares", axis=3)
        values = self._add("Transpose", [parts["values"]], f"{self.name}.rows", perm=[0, 1, 3, 2])
        self._add("MatMul", [shares, values])

    @_write.register
    def _(self, layer: nn.Embedding, x: str) -> None:
        whole = self._add("Cast", [x], f"{self.name}.ids", to=self.onnx.TensorProto.INT64)
        weight = self._weight("weight", layer.parameters["weight"])
        rows = self._add("Gather", [weight, whole], f"{self.name}.rows")  # (N, 1, T, 1, C)
        tokens = self._reshaped(rows, "tokens", 0, -1, layer.parameters["weight"].shape[1], 1)
        self._add("Transpose", [tokens], perm=[0, 2, 1, 3])

    @_write.register
    def _(self, layer: nn.PaddingMask, x: str) -> None:
        padding = self._add("Equal", [x, self._number("padding", PADDING)], f"{self.name}.empty")
        kept = self._add("Not", [padding], f"{self.name}.words")
        self._add("Cast", [kept], to=self.onnx.TensorProto.FLOAT)
