"""How many threads this package computes with, and Numba and BLAS held to that number while it does.

An import sets nothing. Calls of the package limit the threads for their own duration (`kernel_threads`); a program
that owns its process, such as the command line, sets them for good (`deeptheory.system.process_setup`).
"""

import contextlib
import functools
import os
import sys
from collections.abc import Iterator
from typing import Any

from deeptheory.errors import InputError

LITTLE_WORK = 1 << 27  # multiply-adds, three milliseconds of one thread

_chosen: int | None = None
_held: int | None = None  # within `kernel_threads`


def processors() -> set[int]:
    """Numbers of the processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def allowed_threads() -> int:
    """The most threads that may be asked for.

    The smallest of the processor affinity, `SLURM_CPUS_PER_TASK` and `NUMBA_NUM_THREADS`.
    """
    limits = (_number_in(name) for name in ("SLURM_CPUS_PER_TASK", "NUMBA_NUM_THREADS"))
    return min([len(processors()), *(limit for limit in limits if limit)])


def threads() -> int:
    """The number of threads that calls of this package compute with.

    What `choose_threads` was given; otherwise the smaller of `allowed_threads()` and `OMP_NUM_THREADS`, which are
    asked once for a block of `kernel_threads`: kernels call this some hundred times a training step.
    """
    if _chosen is not None:
        return _chosen
    if _held is not None:
        return _held
    return min(allowed_threads(), _number_in("OMP_NUM_THREADS") or sys.maxsize)


def choose_threads(number: int) -> None:
    """Choose the number of threads of all later calls of this package in this process.

    Raises
    ------
    InputError
        If it is below 1 or above `allowed_threads()`.
    """
    global _chosen
    if not 1 <= number <= (allowed := allowed_threads()):
        raise InputError("threads", f"1 to {allowed}", str(number), "this process may not use more")
    _chosen = number


@contextlib.contextmanager
def threads_chosen(number: int) -> Iterator[None]:
    """Let calls of this package compute with that many threads in the block; `InputError` as `choose_threads`."""
    global _chosen
    before = _chosen
    choose_threads(number)
    try:
        yield
    finally:
        _chosen = before


@contextlib.contextmanager
def kernel_threads() -> Iterator[None]:
    """Give Numba `threads()` threads and BLAS one: compiled kernels call BLAS from each of theirs at once.

    Both have what they had before when the block ends. Entering it inside another such block costs nothing, so
    loops over batches enter it once.
    """
    global _held
    if _held is not None:
        yield
        return
    _held = threads()
    try:
        with _blas_controller().limit(limits=1, user_api="blas"), _numba_threads():
            yield
    finally:
        _held = None


@contextlib.contextmanager
def threads_for(multiply_adds: int) -> Iterator[None]:
    """`kernel_threads`, with one thread for so little work that waking the others takes longer."""
    if multiply_adds > LITTLE_WORK:
        with kernel_threads():
            yield
        return
    with threads_chosen(1), kernel_threads(), _numba_threads():
        yield


@contextlib.contextmanager
def alone_if(little: bool) -> Iterator[None]:
    """Within `kernel_threads`: let one thread do what is so little that waking the others takes longer."""
    if not little or (numba := sys.modules.get("numba")) is None or (before := numba.get_num_threads()) == 1:
        yield
        return
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(before)


@contextlib.contextmanager
def _numba_threads() -> Iterator[None]:
    numba = sys.modules.get("numba")
    if numba is None:  # nothing in the block is compiled
        yield
        return
    before = numba.get_num_threads()
    numba.set_num_threads(min(threads(), numba.config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(before)


@functools.cache
def _blas_controller() -> Any:
    # Numba's np.dot calls the BLAS of scipy, which has to be loaded to be found.
    import scipy.linalg.cython_blas  # noqa: F401

    before = os.environ.get("KMP_DUPLICATE_LIB_OK")
    import threadpoolctl  # sets this variable for the process of the user

    controller = threadpoolctl.ThreadpoolController()
    if before is None:
        os.environ.pop("KMP_DUPLICATE_LIB_OK", None)
    return controller


def _number_in(variable: str) -> int:
    """The number of threads in an environment variable, the first of a list; 0 where there is none."""
    first = os.environ.get(variable, "").split(",")[0].strip()
    return int(first) if first.isdecimal() else 0
