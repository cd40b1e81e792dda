"""`njit` and `prange` for every compiled kernel: cached on disk, the machine configured first."""

import os
from collections.abc import Callable
from typing import Any

from deeptheory import machine

machine.configure()

import numba  # noqa: E402
from numba import prange  # noqa: E402

if machine.threads() < numba.get_num_threads():
    numba.set_num_threads(machine.threads())

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in (
    "",
    "0",
)  # NUMBA_DISABLE_JIT=1 runs the kernels as plain Python

__all__ = ["JIT", "inner", "njit", "prange", "signed"]


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit(**options)`, cached on disk where that is possible: `@njit(parallel=True)`."""
    return numba.njit(cache=machine.caching(), **options)


inner = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions that only compiled ones call. Python's way into them, a tenth of all that is compiled, is left
out: called from Python they crash."""


@inner
def signed(index):
    """The index of a `prange` as the integer that other loops have.

    Numba types it once as signed and once as unsigned, and compiles twice what is called with it.
    """
    return numba.intp(index)
