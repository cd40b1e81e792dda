"""A network as other programs know it: every layer stored kernel by kernel as a dense one with zeros."""

from deeptheory import nn
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.rebuilding import make_layer


def densified(network: nn.Network) -> nn.Network:
    """The same function with `nn.SparseConv2d` and `nn.SparseLinear` as dense layers, removed kernels zero.

    Their filters keep the numbers that are left of them. Arrays of other layers are shared.

    Raises
    ------
    InputError
        A layer of a kind that cannot be built again.
    """
    stages = [
        nn.Stage(
            stage.name, {key: _dense(layer) for key, layer in stage.layers.items()}, (), dict(stage.inputs)
        )
        for stage in (*network.stages, network.head)
    ]
    return nn.assemble(stages, network.input_shape, network.dtype)


def _dense(layer: Layer) -> Layer:
    bias = {name: array for name, array in layer.parameters.items() if name == "bias"}
    if isinstance(layer, nn.SparseConv2d):
        options = {"groups": 1, "stride": layer.stride, "padding": layer.padding}
        return make_layer("Conv2d", options, {"weight": layer.dense().copy(), **bias}, {})
    if isinstance(layer, nn.SparseLinear):
        weight = layer.dense().reshape(layer.n_out, -1).copy()
        return make_layer("Linear", {}, {"weight": weight, **bias}, {})
    return nn.with_arrays(layer, layer.parameters, layer.buffers)
