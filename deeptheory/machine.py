"""The machine a run computes on: threads, caches, and the facts a run file records about it.

`configure()` must run before Numba is first imported, so compiled code imports `njit` and `prange` from
`deeptheory.compiled`, never from numba itself.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deeptheory import cgroups, launch
from deeptheory.errors import InputError, unknown_name

PACKAGE = Path(__file__).parent
VECTORS = ("avx512", "avx2", "plain")
RECORDED_PACKAGES = ("deeptheory", "numpy", "scipy", "numba", "h5py", "matplotlib", "msgspec")
MEMORY_SHARE = 0.8  # of the free memory for one result; what computes it needs some as well
SLURM_VARIABLES = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_CPUS_PER_TASK")

_threads: int | None = None
_caching = True
_blas_depth = 0


def cache_directory() -> Path:
    """`$DEEPTHEORY_CACHE`, else `deeptheory` in `$XDG_CACHE_HOME`, else `~/.cache/deeptheory`."""
    if own := os.environ.get("DEEPTHEORY_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "deeptheory"


def configure(threads: int | None = None) -> None:
    """Choose the number of threads of Numba and BLAS, and the directory of the compiled kernels.

    Parameters
    ----------
    threads : int, optional
        Number of threads; by default those this process may use: the smallest of its processor affinity,
        `SLURM_CPUS_PER_TASK` and `NUMBA_NUM_THREADS`.

    Raises
    ------
    InputError
        If `threads` is below 1 or above the number of threads this process may use, or as `vectors` raises it.
    """
    global _threads
    vectors()  # refuses a wrong name before anything is set
    allowed = _allowed_threads()
    if threads is not None and not 1 <= threads <= allowed:
        raise InputError("threads", f"1 to {allowed}", str(threads), "this process may not use more")
    chosen = threads or _threads or allowed
    first, changed = _threads is None, chosen != _threads
    _threads = chosen
    if first:
        os.environ.setdefault("NUMBA_NUM_THREADS", str(allowed))
        # Threads that wait should sleep: spinning, two programs on one machine stop each other.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        # The kernels write their vectors themselves: further optimisation costs a third more compilation time
        # and gains nothing (docs/performance.md).
        os.environ.setdefault("NUMBA_OPT", "1")
        if os.environ.get("DEEPTHEORY_VECTORS") == "avx2":
            os.environ.setdefault("NUMBA_CPU_NAME", "haswell")  # the compiler then knows no wider ones
            os.environ.setdefault("NUMBA_CPU_FEATURES", "+avx2,+fma")
        _choose_kernel_directory()
    if changed:
        # Libraries loaded later read the variable, those already loaded are told.
        for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
            os.environ[variable] = str(chosen)
        if "numpy" in sys.modules:
            import threadpoolctl

            threadpoolctl.threadpool_limits(chosen, user_api="blas")
        if numba := sys.modules.get("numba"):
            numba.set_num_threads(min(chosen, numba.config.NUMBA_NUM_THREADS))


def threads() -> int:
    """The number of threads in use."""
    if _threads is None:
        configure()
    assert _threads is not None
    return _threads


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


def caching() -> bool:
    """Whether compiled kernels can be kept on disk."""
    return _caching


def kernels_are_compiled() -> bool:
    """Whether compiled kernels of this version lie on disk, from an earlier start."""
    directory = os.environ.get("NUMBA_CACHE_DIR")
    return directory is not None and any(Path(directory).rglob("*.nbi"))


@contextlib.contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold BLAS at one thread: the kernels call it from every thread of theirs at once.

    Entering it inside another such block costs nothing, so loops over batches enter it once.
    """
    global _blas_depth
    if _blas_depth:
        yield
        return
    _blas_depth += 1
    try:
        with _blas_controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _blas_depth -= 1


def facts() -> dict[str, Any]:
    """What a run file records: host, processor, threads, processes, vectors, versions, git state, Slurm ids."""
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": _processor(),
        "threads": threads(),
        "processes": launch.place()[1],
        "vectors": vectors(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in RECORDED_PACKAGES},
        **_git_state(),
        "slurm": {name: os.environ[name] for name in SLURM_VARIABLES if name in os.environ},
    }


def processors() -> set[int]:
    """Numbers of the processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _allowed_threads() -> int:
    allowed = len(processors())
    for variable in ("SLURM_CPUS_PER_TASK", "NUMBA_NUM_THREADS"):
        value = os.environ.get(variable, "")
        if value.isdigit() and int(value) > 0:
            allowed = min(allowed, int(value))
    return allowed


@functools.cache
def _blas_controller() -> Any:
    # Numba's np.dot calls the BLAS of scipy, which has to be loaded to be found.
    import scipy.linalg.cython_blas  # noqa: F401
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()


def _choose_kernel_directory() -> None:
    global _caching
    kernels, own = cache_directory() / "kernels", os.environ.get("NUMBA_CACHE_DIR")
    # A directory chosen here by the process that started this one may be for other vectors.
    if own and Path(own).parent != kernels and _writable(Path(own)):
        return
    # Numba recompiles a function when its own file changes but not when one that it calls does (numba#1833), nor
    # when the vectors are others, which constants of the kernels follow.
    digest = hashlib.sha256(vectors().encode())
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_bytes()
        if b"njit" in text or b"intrinsic" in text:
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + text)
    directory = kernels / digest.hexdigest()[:16]
    if _writable(directory):
        os.environ["NUMBA_CACHE_DIR"] = str(directory)
        return
    _caching = False
    os.environ.pop("NUMBA_CACHE_DIR", None)
    warnings.warn(
        f"compiled kernels cannot be kept in {directory}: every start compiles them again; "
        "set DEEPTHEORY_CACHE to a directory you can write to",
        stacklevel=3,
    )


def _writable(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _git_state() -> dict[str, Any]:
    """Revision of the checkout this package lies in; empty for an installed copy."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(PACKAGE), *arguments], capture_output=True, text=True, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    tracked = git("ls-files", "--error-unmatch", Path(__file__).name)
    revision = git("rev-parse", "HEAD") if tracked else None
    changes = git("status", "--porcelain", "--untracked-files=no") if revision else None
    return {"git_revision": revision or "", "git_dirty": bool(changes)}


def free_memory() -> int | None:
    """Bytes of memory that can still be taken, or None where the system does not say.

    The smaller of what the machine has available and what control groups, such as Slurm's --mem, leave.
    """
    left = [size for size in (_available_memory(), cgroups.memory_left()) if size is not None]
    return min(left, default=None)


def _available_memory() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return None


def process_memory(key: str) -> int | None:
    """An entry of /proc/self/status in bytes: "VmRSS" now, "VmHWM" at its largest; None where there is none."""
    # Not getrusage: its maximum counts the parent's memory at the moment of the fork.
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return 1024 * int(line.split()[1])
    return None


def require_memory(what: str, needed: int, do: str) -> None:
    """Refuse a result that would take more than 80 % of the free memory, before it is made.

    Parameters
    ----------
    what : str
        The result, by the name the user knows it under.
    needed : int
        Its bytes.
    do : str
        What would take less.

    Raises
    ------
    InputError
        With both sizes. Nothing is refused where the system does not say how much memory is free.
    """
    free = free_memory()
    if free is not None and needed > MEMORY_SHARE * free:
        raise InputError(
            what,
            f"at most {MEMORY_SHARE:.0%} of the free memory, {gigabytes(MEMORY_SHARE * free)}".replace(
                "%", " %"
            ),
            gigabytes(needed),
            do,
        )


def gigabytes(size: float) -> str:
    """A number of bytes as messages say it: two digits below 1 GB, one decimal above."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e9:.2g} GB"
