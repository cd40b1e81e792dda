"""Products in registers as they are compiled; what they compute is in test_matrix_products."""

import re

import pytest
from numba import types

from deeptheory.nn.kernels import matrix_products
from deeptheory.nn.kernels.matrix_products import NOTHING_COMING, WIDE, Extent, Steps
from deeptheory.system.compiled import numba


@pytest.mark.skipif(not WIDE, reason="other processors have narrower panels")
def test_no_vector_goes_through_memory_in_the_products():
    """What is compiled by itself is what the process that compiles it runs: once it was half as fast for it."""
    array, number = types.Array(types.float32, 1, "C"), types.intp
    steps, extent, coming = map(numba.typeof, (Steps(1, 1, 1), Extent(1, 1, 1, 1, 1), NOTHING_COMING))
    kinds = (array, number, number, array, number, steps, array, number, number, extent, coming)
    compiled = numba.njit(kinds)(matrix_products.multiply.py_func)  # anew: the cache holds no listing
    code = compiled.inspect_asm(compiled.signatures[0])
    assert "vfmadd231ps" in code
    assert not re.findall(r"vmov\w+\s+%zmm\d+, .*\(%rsp\)", code)
