"""The set-up of a process that belongs to this package: the command line, scripts, workers.

Nothing else changes the environment, Numba or BLAS for good: a library leaves its user's process as it is.
"""

import os
import sys

from deeptheory.system import instructions, threadpools

BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def configure(threads: int | None = None) -> None:
    """Set the threads of Numba and BLAS and the options of the compiler, best before Numba is imported.

    Parameters
    ----------
    threads : int, optional
        Number of threads; by default what was chosen before, at first `threadpools.threads()`.

    Raises
    ------
    InputError
        As `threadpools.choose_threads` and `instructions.vectors` raise it.
    """
    instructions.vectors()  # refuses a wrong name before anything is set
    threadpools.choose_threads(threadpools.threads() if threads is None else threads)
    os.environ.setdefault("NUMBA_NUM_THREADS", str(threadpools.allowed_threads()))
    # Threads that wait should sleep: spinning, two programs on one machine stop each other.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # The kernels write their vectors themselves: further optimisation costs a third more compilation time
    # and gains nothing (docs/performance.md).
    os.environ.setdefault("NUMBA_OPT", "1")
    if os.environ.get("DEEPTHEORY_VECTORS") == "avx2":
        os.environ.setdefault("NUMBA_CPU_NAME", "haswell")  # the compiler then knows no wider ones
        os.environ.setdefault("NUMBA_CPU_FEATURES", "+avx2,+fma")
    chosen = threadpools.threads()
    # Libraries loaded later read the variable, those already loaded are told.
    for variable in BLAS_VARIABLES:
        os.environ[variable] = str(chosen)
    if "numpy" in sys.modules:
        import threadpoolctl

        threadpoolctl.threadpool_limits(chosen, user_api="blas")
    if numba := sys.modules.get("numba"):
        numba.set_num_threads(min(chosen, numba.config.NUMBA_NUM_THREADS))
