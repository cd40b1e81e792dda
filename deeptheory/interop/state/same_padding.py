"""The padding that TensorFlow calls "same", which lies behind the images where a stride halves even numbers."""

import numpy as np

from deeptheory import nn
from deeptheory.nn.graph import INPUT


def padded_behind(network: nn.Network) -> nn.Network:
    """The network whose strided convolutions begin at the first position of an even axis, not before it.

    With a stride of 2 and k x k kernels, k odd, "same" pads an even axis by (k - 3)/2 before and (k - 1)/2 behind
    it, where our layers have k//2 on both sides. Zeros before the weights of a kernel move it there; odd axes are
    padded alike by both.

    Parameters
    ----------
    network : Network
        With strides 1 and 2 and odd kernels.
    """
    arrays = dict(network.parameters())
    for node in network.nodes:
        if isinstance(node.layer, nn.Conv2d) and node.layer.stride == 2:
            (source,), weight = node.inputs, f"{node.name}.weight"
            shape = network.input_shape if source == INPUT else network.output_shape(source)
            before = [(1 - axis % 2, 0) for axis in shape[:2]]
            arrays[weight] = np.pad(arrays[weight], [(0, 0), (0, 0), *before])
    return nn.build_from_blueprint(nn.blueprint_of(network), arrays, network.buffers())
