"""`njit` and `prange` for every compiled kernel: cached on disk, and nothing else of Numba changed."""

import contextlib
from collections.abc import Callable
from typing import Any

import numba
from numba import prange
from numba.core import event

from deeptheory.system import interruption, kernel_cache

JIT = not numba.config.DISABLE_JIT  # NUMBA_DISABLE_JIT=1 runs the kernels as plain Python


class _Compiling(event.Listener):  # type: ignore[misc]
    """While Numba compiles, or reads what it compiled, a request to stop waits.

    LLVM calls back into Python there, and an exception in it is swallowed: half a kernel would be left.
    """

    def __init__(self) -> None:
        self.blocks: list[contextlib.AbstractContextManager[None]] = []

    def on_start(self, event: Any) -> None:
        self.blocks.append(interruption.deferred())
        self.blocks[-1].__enter__()

    def on_end(self, event: Any) -> None:
        self.blocks.pop().__exit__(None, None, None)


event.register("numba:compiler_lock", _Compiling())

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
