"""No kind of layer that can be saved is left out of the formats of other programs."""

import pytest

from deeptheory import nn
from deeptheory.interop.onnx import writer
from deeptheory.interop.torch import scripts
from deeptheory.nn.rebuilding import OPTIONS

DENSE = [kind for kind in OPTIONS if kind not in (nn.SparseConv2d, nn.SparseLinear)]  # densified before
OF_TOKENS = (  # refused by name, a gap
    *(nn.ClassToken, nn.Embedding, nn.FirstToken, nn.PaddingMask, nn.Positions, nn.SelfAttention),
    *(nn.SequencePool, nn.SinePositions, nn.Tokens),
)


@pytest.mark.parametrize("kind", [kind for kind in DENSE if kind not in OF_TOKENS])
def test_every_kind_of_layer_can_be_written(kind):
    to_onnx = vars(writer._Graph)["_write"].dispatcher
    for dispatch in (to_onnx.dispatch, scripts._module.dispatch):
        assert dispatch(kind) is not dispatch(nn.Layer)


@pytest.mark.parametrize("kind", OF_TOKENS)
def test_layers_of_tokens_are_refused_by_name(kind):
    dispatch = vars(writer._Graph)["_write"].dispatcher.dispatch
    assert dispatch(kind) is dispatch(nn.Layer)
