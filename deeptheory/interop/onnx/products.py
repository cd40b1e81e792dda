"""Products of ONNX, with their biases, as convolutions and linear layers."""

import numpy as np

from deeptheory.interop.onnx.graph import Operator
from deeptheory.interop.onnx.values import Translation, check_plain, same
from deeptheory.nn.layers.base import Array
from deeptheory.nn.rebuilding import make_layer


def conv(graph: Translation, operator: Operator) -> None:
    """A convolution; after a mean over all positions a linear layer."""
    check_plain(operator)
    parameters = {"weight": graph.weight(operator, 1, -1, -1, -1, -1)}
    n_out, _, *size = parameters["weight"].shape
    if graph.constant(operator, 2) is not None:
        parameters["bias"] = graph.weight(operator, 2, n_out)
    pads, strides = operator.attributes.get("pads", [0] * 4), operator.attributes.get("strides", [1, 1])
    groups = operator.attributes.get("group", 1)
    if len(set(pads)) != 1 or pads[0] < 0:
        raise operator.error("padding", "the same on all four sides", list(pads))
    if groups < 1 or n_out % groups:
        raise operator.error("groups", f"a divisor of {n_out} outputs", groups)
    source = graph.input(operator)
    if len(graph.shape(source)) == 1 and size == [1, 1] and groups == 1:
        # After a mean over all positions a 1 x 1 convolution is a matrix product.
        place_linear(graph, operator, parameters | {"weight": parameters["weight"][:, :, 0, 0]}, source)
        return
    options = {"groups": groups, "stride": same(operator, "stride", strides), "padding": pads[0]}
    graph.place(operator, make_layer("Conv2d", options, parameters, {}), source)


def gemm(graph: Translation, operator: Operator) -> None:
    """A linear layer with its factors and bias."""
    if operator.attributes.get("transA", 0):
        raise operator.error("transA", "0", 1)
    weight = graph.weight(operator, 1, -1, -1)
    weight = weight if operator.attributes.get("transB", 0) else weight.T
    factors = operator.attributes.get("alpha", 1.0), operator.attributes.get("beta", 1.0)
    parameters = {"weight": weight if factors[0] == 1 else weight * weight.dtype.type(factors[0])}
    if (bias := graph.constant(operator, 2)) is not None:
        parameters["bias"] = bias_of(operator, bias * bias.dtype.type(factors[1]), len(weight))
    place_linear(graph, operator, parameters, graph.input(operator))


def matmul(graph: Translation, operator: Operator) -> None:
    """A linear layer without bias, or one of every position."""
    source, parameters = graph.input(operator), {"weight": graph.weight(operator, 1, -1, -1).T}
    place = place_pointwise if operator.inputs[0] in graph.channels_last else place_linear
    place(graph, operator, parameters, source)


def bias_of(operator: Operator, bias: Array, n_out: int) -> Array:
    """One number for each output; a single number is repeated."""
    if bias.size not in (1, n_out) or bias.shape[-1:] not in ((), (1,), (n_out,)):
        raise operator.error("bias", f"one for each of {n_out} outputs", f"shape {bias.shape}")
    return np.broadcast_to(bias.reshape(-1), n_out).copy()


def place_linear(graph: Translation, operator: Operator, parameters: dict[str, Array], *inputs: int) -> None:
    """A linear layer after the layers numbered `inputs`."""
    weight = np.ascontiguousarray(parameters["weight"])
    graph.place(operator, make_layer("Linear", {}, parameters | {"weight": weight}, {}), *inputs)


def place_pointwise(
    graph: Translation, operator: Operator, parameters: dict[str, Array], *inputs: int
) -> None:
    """A matrix that acts on the channels of every position."""
    weight = np.ascontiguousarray(parameters["weight"].reshape(*parameters["weight"].shape[:2], 1, 1))
    layer = make_layer(
        "Conv2d", {"groups": 1, "stride": 1, "padding": 0}, parameters | {"weight": weight}, {}
    )
    graph.place(operator, layer, *inputs)
