"""`njit` and `prange` for every compiled kernel: cached on disk, and nothing else of Numba changed."""

from collections.abc import Callable
from typing import Any

import numba
from numba import prange

from deeptheory.system import kernel_cache

JIT = not numba.config.DISABLE_JIT  # NUMBA_DISABLE_JIT=1 runs the kernels as plain Python

__all__ = ["JIT", "inner", "njit", "prange", "signed"]


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit(**options)`, cached on disk where that is possible: `@njit(parallel=True)`."""
    directory = kernel_cache.kernel_directory()

    def compiled(function: Callable[..., Any]) -> Any:
        if directory is None:
            return numba.njit(**options)(function)
        with kernel_cache.caching_in(directory):
            return numba.njit(cache=True, **options)(function)

    return compiled


inner = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions that only compiled ones call. Python's way into them, a tenth of all that is compiled, is left
out: called from Python they crash."""


@inner
def signed(index: Any) -> Any:
    """The index of a `prange` as the integer that other loops have.

    Numba types it once as signed and once as unsigned, and compiles twice what is called with it.
    """
    return numba.intp(index)
