"""No kind of layer that can be saved is left out of the formats of other programs."""

import pytest

from deeptheory import nn
from deeptheory.interop.onnx import writer
from deeptheory.interop.torch import scripts
from deeptheory.nn.rebuilding import OPTIONS

DENSE = [kind for kind in OPTIONS if kind not in (nn.SparseConv2d, nn.SparseLinear)]  # densified before


@pytest.mark.parametrize("kind", DENSE)
def test_every_kind_of_layer_can_be_written(kind):
    to_onnx = vars(writer._Graph)["_write"].dispatcher
    for dispatch in (to_onnx.dispatch, scripts._module.dispatch):
        assert dispatch(kind) is not dispatch(nn.Layer)
