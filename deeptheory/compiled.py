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

__all__ = ["JIT", "njit", "prange"]


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit(**options)`, cached on disk where that is possible: `@njit(parallel=True)`."""
    return numba.njit(cache=machine.caching(), **options)
