"""What compiled kernels give, and what their definitions in float64 do."""

import numpy as np
import pytest

from deeptheory.nn.kernels import definitions, norm_rows
from deeptheory.system import instructions
from deeptheory.system.compiled import JIT

NEEDS_VECTORS = pytest.mark.skipif(
    instructions.vectors() == "plain" or not JIT, reason="needs explicit vectors"
)
KINDS = {
    definitions.IDENTITY: norm_rows.IDENTITY,
    definitions.RELU: norm_rows.RELU,
    definitions.SILU: norm_rows.SILU,
}


def exact(*arrays):
    """The arrays in float64."""
    return (array.astype(np.float64) for array in arrays)


def assert_close(found, expected, tolerance):
    """The largest error is at most `tolerance` times the largest value."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def passes(kernel, geometry, x, weight, dout, scratch):
    """Output, gradient of the input and of the weights; where nothing is written they are NaN."""
    out, dx, dweight = (np.full_like(a, np.nan) for a in (dout, x, weight))
    kernel.forward(geometry, x, weight, out, scratch)
    kernel.backward_data(geometry, dout, weight, dx, scratch)
    kernel.backward_weights(geometry, x, dout, dweight, scratch)
    return out, dx, dweight


def defined_passes(geometry, x, weight, dout):
    """The same by definition, in float64."""
    x, weight, dout = exact(x, weight, dout)
    sizes = geometry.stride, geometry.padding, geometry.groups
    return (
        definitions.convolution(x, weight, *sizes),
        definitions.convolution_data_gradient(dout, weight, x.shape, *sizes),
        definitions.convolution_weight_gradient(x, dout, weight.shape, *sizes),
    )


def channel_sums(out):
    """Sums of the outputs and of their squares for each channel, in float64."""
    (out,) = exact(out)
    return np.stack([out.sum(axis=(0, 1, 2)), (out**2).sum(axis=(0, 1, 2))])
