"""Convolution by products of image lines against its definition in float64."""

import numpy as np
import pytest
from numba import types

from deeptheory.nn import kernels
from deeptheory.nn.kernels import definitions, fused_norm, implicit_gemm
from deeptheory.nn.kernels.compiled_kernel import Geometry, geometry
from deeptheory.nn.kernels.norm_rows import Normed
from deeptheory.system.compiled import numba
from tests.nn.kernels.comparison import (
    KINDS,
    NEEDS_VECTORS,
    assert_close,
    channel_sums,
    defined_passes,
    exact,
)

pytestmark = NEEDS_VECTORS
TOLERANCE = 2e-6  # relative to the largest value; 6e-7 seen


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("images", "channels", "kernel", "stride", "padding"),
    [
        ((5, 8, 8), (3, 32), (3, 3), 1, 1),
        ((1, 6, 4), (1, 48), (5, 5), 1, 2),
        ((4, 7, 7), (3, 64), (3, 2), 2, 1),
        ((2, 11, 8), (16, 16), (3, 3), 2, 1),
        ((3, 8, 16), (16, 32), (3, 3), 2, 1),
        ((2, 6, 8), (32, 16), (5, 5), 2, 2),
        ((2, 4, 8), (16, 16), (1, 1), 2, 0),
        ((2, 6, 12), (64, 16), (3, 3), 3, 1),
        ((3, 5, 8), (32, 16), (5, 5), 1, 2),
        ((2, 4, 4), (16, 96), (1, 1), 1, 0),
        ((2, 3, 6), (16, 16), (2, 3), 1, 0),
        ((2, 9, 11), (5, 16), (3, 3), 3, 1),
    ],
)
def test_all_passes_agree_with_their_definitions(images, channels, kernel, stride, padding, workers):
    rng, (n_in, n_out), scratch = np.random.default_rng(0), channels, kernels.Scratch()
    x = rng.standard_normal((*images, n_in), np.float32)
    weight = rng.standard_normal((n_out, n_in, *kernel), np.float32)
    sizes = geometry(x, weight, stride, padding)
    dout = rng.standard_normal(sizes.outputs, np.float32)
    h, expected_dx, expected_dweight = defined_passes(sizes, x, weight, dout)
    out, dx, dweight = (np.full_like(a, np.nan) for a in (dout, x, weight))
    assert implicit_gemm.applies(sizes)
    slope, shift, slope_x, constant = rng.standard_normal((4, n_out), np.float32)
    for _ in range(2):  # the second time over the scratch of the first
        implicit_gemm.forward(sizes, x, weight, out, scratch)
        assert_close(out, h, TOLERANCE)
        sums = implicit_gemm.forward_with_sums(sizes, x, weight, out, scratch)
        assert_close(out, h, TOLERANCE)
        assert_close(sums, channel_sums(h), TOLERANCE)
        implicit_gemm.backward_weights(sizes, x, dout, dweight, scratch)
        assert_close(dweight, expected_dweight, TOLERANCE)
        for name, kind in KINDS.items():
            dz = definitions.normalised_gradient(h, *exact(dout, slope, shift), name, 1)
            dh = slope * dz + slope_x * h + constant
            norm = Normed(h.astype(np.float32).reshape(-1), slope, shift, slope_x, constant, kind)
            _, expected, expected_through_norm = defined_passes(sizes, x, weight, dh)
            own = dx if implicit_gemm.joins_norm(sizes, 1, input_gradient=True) else None
            implicit_gemm.backward_through_norm(sizes, x, dout, weight, norm, 1, dweight, own, scratch)
            assert_close(dweight, expected_through_norm, TOLERANCE)
            if own is not None:
                assert_close(dx, expected, TOLERANCE)
            epilogue = fused_norm.Epilogue(slope, shift, kind, 1)
            assert implicit_gemm.forward_with_epilogue(sizes, x, weight, epilogue, out, scratch)
            assert_close(out, definitions.norm_activation_pool(h, *exact(slope, shift), name, 1), TOLERANCE)
        if implicit_gemm.applies_backward(sizes):
            implicit_gemm.backward_data(sizes, dout, weight, dx, scratch)
            assert_close(dx, expected_dx, TOLERANCE)


def test_other_convolutions_are_left_to_im2col():
    sizes = Geometry((2, 8, 8, 3), (16, 3, 3, 3), 1, 1, 1, np.float32)
    assert implicit_gemm.applies(sizes)
    assert not implicit_gemm.applies(sizes._replace(weights=(8, 3, 3, 3)))
    assert not implicit_gemm.applies(sizes._replace(images=(2, 8, 7, 3)))
    assert not implicit_gemm.applies(sizes._replace(dtype=np.float64))
    assert not implicit_gemm.applies_backward(sizes)
    sizes = sizes._replace(images=(2, 8, 8, 16), weights=(3, 16, 3, 3))
    assert implicit_gemm.applies_backward(sizes)
    assert implicit_gemm.applies_backward(sizes._replace(stride=2))
    assert not implicit_gemm.applies_backward(sizes._replace(stride=2, images=(2, 7, 8, 16)))
    assert not implicit_gemm.applies_backward(sizes._replace(stride=2, images=(2, 4, 4, 16)))
    assert not implicit_gemm.applies_backward(sizes._replace(padding=3))


def test_padding_scatters_no_numbers():
    """LLVM writes a loop over single numbers by scatters, which took as long as half of the products."""
    image, sizes = types.Array(types.float32, 1, "C"), numba.typeof(implicit_gemm.SIZES)
    compiled = numba.njit((image, types.intp, sizes, image))(implicit_gemm._pad.py_func)
    assert "scatter" not in compiled.inspect_asm(compiled.signatures[0])
