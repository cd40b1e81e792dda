"""The kernels by narrower vectors than this processor has, and without, give what their definitions say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deeptheory.system import instructions

ROOT = Path(__file__).parents[2]
# As little as covers what differs, because everything is compiled once more: with AVX2 the kernels of explicit
# vectors, without vectors the choice of other kernels.
EXPLICIT = "vectors", "matrix_products", "fused_norm", "winograd", "implicit_gemm", "tiny_images", "sparse"
CORE = {
    "avx2": [f"tests/nn/kernels/test_{name}.py" for name in EXPLICIT],
    "plain": [
        "tests/nn/kernels/test_convolution.py", "tests/nn/test_fused_networks.py", "-k", "float32 or vgg11",
    ],
}  # fmt: skip


@pytest.mark.parametrize("vectors", CORE)
def test_core_of_the_kernel_tests(vectors):
    if instructions.VECTORS.index(vectors) <= instructions.VECTORS.index(instructions.vectors()):
        pytest.skip(f"the tests themselves run with {instructions.vectors()}")
    environment = {**os.environ, "DEEPTHEORY_VECTORS": vectors}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *CORE[vectors]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-5000:]
    assert "skipped" not in done.stdout
