"""No kind of layer that can be saved is left out of the formats of other programs."""

import pytest

from deeptheory import nn
from deeptheory.interop import onnx_writer, torch_script
from deeptheory.nn.rebuild import OPTIONS

DENSE = [kind for kind in OPTIONS if kind not in (nn.SparseConv2d, nn.SparseLinear)]  # densified before


@pytest.mark.parametrize("kind", DENSE)
def test_every_kind_of_layer_can_be_written(kind):
    to_onnx = vars(onnx_writer._Graph)["_write"].dispatcher
    for dispatch in (to_onnx.dispatch, torch_script._module.dispatch):
        assert dispatch(kind) is not dispatch(nn.Layer)
