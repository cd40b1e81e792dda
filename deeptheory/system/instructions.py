"""The vector instructions that compiled kernels are written for."""

import functools
import os

from deeptheory.errors import InputError, unknown_name

VECTORS = ("avx512", "avx2", "plain")


def vectors() -> str:
    """Which kernels are compiled: "avx512", "avx2" or "plain" (Numba without explicit vectors).

    The best this processor has; `DEEPTHEORY_VECTORS` forces another, to test it or for a processor that lowers
    its clock rate under wide vectors.

    Raises
    ------
    InputError
        For another name in `DEEPTHEORY_VECTORS`, or vectors this processor does not have.
    """
    found = _processor_vectors()
    chosen = os.environ.get("DEEPTHEORY_VECTORS") or found
    if chosen not in VECTORS:
        raise unknown_name("DEEPTHEORY_VECTORS", chosen, VECTORS)
    allowed = VECTORS[VECTORS.index(found) :]
    if chosen not in allowed:
        do = "this processor does not have others"
        raise InputError("DEEPTHEORY_VECTORS", " or ".join(allowed), chosen, do)
    return chosen


@functools.cache
def _processor_vectors() -> str:
    import llvmlite.binding

    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return "avx512"
    return "avx2" if features.get("avx2") and features.get("fma") else "plain"
