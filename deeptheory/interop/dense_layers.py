"""A network with dense layers only, as other programs have them: removed kernels are zeros."""

from deeptheory import nn
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.rebuilding import make_layer


def densified(network: nn.Network) -> nn.Network:
    """The same function, with sparse layers as dense layers that have zeros for removed kernels.

    Removed filters do not come back. Arrays of other layers are shared.

    Raises
    ------
    InputError
        A layer of a kind that cannot be rebuilt.
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
