"""Convolution by products of image lines against its definition in float64."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import definitions, fused_norm, implicit_gemm
from deeptheory.nn.kernels.norm_rows import PLAIN, Normed
from deeptheory.system import instructions, threadpools
from deeptheory.system.compiled import JIT

pytestmark = pytest.mark.skipif(instructions.vectors() == "plain" or not JIT, reason="needs explicit vectors")
TOLERANCE = 2e-6  # relative to the largest value; 6e-7 seen
KINDS = {
    definitions.IDENTITY: fused_norm.IDENTITY,
    definitions.RELU: fused_norm.RELU,
    definitions.SILU: fused_norm.SILU,
}


def assert_close(found, expected):
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("images", "channels", "kernel", "stride", "padding"),
    [
        ((5, 8, 8), (3, 32), (3, 3), 1, 1),
        ((1, 6, 4), (1, 48), (5, 5), 1, 2),
        ((4, 7, 7), (3, 64), (3, 2), 2, 1),
        ((2, 11, 8), (16, 16), (3, 3), 2, 1),
        ((3, 5, 8), (32, 16), (5, 5), 1, 2),
        ((2, 4, 4), (16, 96), (1, 1), 1, 0),
        ((2, 3, 6), (16, 16), (2, 3), 1, 0),
        ((2, 9, 11), (5, 16), (3, 3), 3, 1),
    ],
)
def test_all_passes_agree_with_their_definitions(
    images, channels, kernel, stride, padding, threads, monkeypatch
):
    monkeypatch.setattr(threadpools, "threads", lambda: threads)
    rng, (n_in, n_out) = np.random.default_rng(0), channels
    x = rng.standard_normal((*images, n_in), np.float32)
    weight = rng.standard_normal((n_out, n_in, *kernel), np.float32)
    exact_x, exact_weight = x.astype(np.float64), weight.astype(np.float64)
    h = definitions.convolution(exact_x, exact_weight, stride, padding)
    dout = rng.standard_normal(h.shape, np.float32)
    out, dx, dweight = (np.full(a.shape, np.nan, np.float32) for a in (h, x, weight))
    assert implicit_gemm.applies(out, weight.shape)
    slope, shift, slope_x, constant = rng.standard_normal((4, n_out), np.float32)
    scratch = kernels.Scratch()
    for _ in range(2):  # the second time over the scratch of the first
        implicit_gemm.forward(x, weight, stride, padding, out, scratch)
        assert_close(out, h)
        sums = implicit_gemm.forward_with_sums(x, weight, stride, padding, out, scratch)
        assert_close(out, h)
        assert_close(sums, [h.sum(axis=(0, 1, 2)), (h**2).sum(axis=(0, 1, 2))])
        implicit_gemm.backward_weights(x, dout, PLAIN, stride, padding, dweight, scratch)
        expected = definitions.convolution_weight_gradient(
            exact_x, dout.astype(np.float64), weight.shape, stride, padding
        )
        assert_close(dweight, expected)
        for name, kind in KINDS.items():
            dz = definitions.normalised_gradient(h, *exact(dout, slope, shift), name, 1)
            dh = slope * dz + slope_x * h + constant
            norm = Normed(h.astype(np.float32).reshape(-1), slope, shift, slope_x, constant, kind)
            implicit_gemm.backward_weights(x, dout, norm, stride, padding, dweight, scratch)
            expected = definitions.convolution_weight_gradient(exact_x, dh, weight.shape, stride, padding)
            assert_close(dweight, expected)
            epilogue = fused_norm.Epilogue(slope, shift, kind, 1)
            implicit_gemm.forward(x, weight, stride, padding, out, scratch, epilogue)
            assert_close(out, definitions.norm_activation_pool(h, *exact(slope, shift), name, 1))
        if stride == 1 and implicit_gemm.applies(dx, weight.shape[1::-1]):
            implicit_gemm.backward_data(dout, weight, padding, dx, scratch)
            expected = definitions.convolution_data_gradient(
                dout.astype(np.float64), exact_weight, x.shape, stride, padding
            )
            assert_close(dx, expected)


def exact(*arrays):
    return (array.astype(np.float64) for array in arrays)


def test_other_outputs_are_left_to_patches():
    out = np.zeros((2, 8, 8, 16), np.float32)
    assert implicit_gemm.applies(out, (16, 3, 3, 3))
    assert not implicit_gemm.applies(out[..., :8], (8, 3, 3, 3))
    assert not implicit_gemm.applies(out[:, :, :7], (16, 3, 3, 3))
    assert not implicit_gemm.applies(out.astype(np.float64), (16, 3, 3, 3))
