"""Processes that train one network together, each on a part of every batch.

Gradients and the sums of batch norm are added up over the processes, and random draws are those of the whole
batch: up to rounding, the trained network is the same as that of one process. A single process uses `ALONE`, which
exchanges nothing.
"""

import atexit
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.system import mpi_launch, threadpools


class Group:
    """Processes that train one network together; this base class is a single process.

    All processes must call the same methods in the same order.

    Attributes
    ----------
    rank : int
        Number of this process, from 0; the first one writes and reports for all.
    size : int
        Number of processes.
    stopped : bool
        Whether they have agreed to stop (`agree_to_stop`).
    """

    rank, size, stopped = 0, 1, False

    def part(self, n: int) -> slice:
        """This process's part of n inputs; the sizes of the parts differ by at most one."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def offset(self, n: int) -> tuple[int, int]:
        """Index in the batch of the first of this process's n inputs, and the size of the batch."""
        return 0, n

    def sum(self, *values: Any) -> Any:
        """Sums of numbers and arrays over the processes, in float64, as a tuple."""
        return values

    def add_up(self, arrays: Iterable[NDArray[Any]]) -> None:
        """Replace arrays of one dtype by their sums over the processes, in that dtype."""

    def agree_to_stop(self, asked: bool) -> bool:
        """Whether any process was asked to stop; the answer is the same in all."""
        return asked

    def from_first(self, make: Callable[[], Any] = lambda: None) -> Any:
        """What `make` returns in the first process; the others do not call it and need not pass it."""
        return make()

    def wait(self) -> None:
        """Wait until all processes have called this."""

    def abort_at_exit(self, exit_code: int) -> None:
        """When this process ends, end all others as well."""


ALONE = Group()


class Processes(Group):
    """The processes of an MPI communicator.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    """

    def __init__(self, communicator: Any) -> None:
        self._communicator = communicator
        self.rank, self.size = communicator.rank, communicator.size

    def offset(self, n: int) -> tuple[int, int]:
        sizes = self._communicator.allgather(n)
        return sum(sizes[: self.rank]), sum(sizes)

    def sum(self, *values: Any) -> Any:
        arrays = [np.asarray(value, np.float64) for value in values]
        self.add_up(arrays)
        return tuple(array if array.ndim else array[()] for array in arrays)

    def add_up(self, arrays: Iterable[NDArray[Any]]) -> None:
        arrays = list(arrays)
        flat = np.concatenate([array.reshape(-1) for array in arrays])  # one exchange is faster than many
        self._add(flat)
        start = 0
        for array in arrays:
            array[...] = flat[start : start + array.size].reshape(array.shape)
            start += array.size

    def agree_to_stop(self, asked: bool) -> bool:
        n_asked = np.array([asked], np.int32)
        self._add(n_asked)
        self.stopped = bool(n_asked[0])
        return self.stopped

    def _add(self, array: NDArray[Any]) -> None:
        from mpi4py import MPI

        self._communicator.Allreduce(MPI.IN_PLACE, array)

    def from_first(self, make: Callable[[], Any] = lambda: None) -> Any:
        return self._communicator.bcast(make() if self.rank == 0 else None)

    def wait(self) -> None:
        self._communicator.Barrier()

    def abort_at_exit(self, exit_code: int) -> None:
        atexit.register(self._communicator.Abort, exit_code)


def processes() -> Group:
    """The processes that an MPI launcher started together with this one; `ALONE` without a launcher.

    Sets the number of threads so that the processes of one node together use no more threads than processors.

    Raises
    ------
    InputError
        mpi4py is missing, or finds another number of processes than the launcher started (`mpi_launch.refuse`).
    """
    _, size = mpi_launch.place()
    if size == 1:
        return ALONE
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py without an MPI library
        expected, do = f"mpi4py and an MPI library to join {size}", "pip install 'deeptheory[mpi]'"
        mpi_launch.refuse(InputError("processes", expected, str(error), do))
    if size != MPI.COMM_WORLD.size:
        do = "install mpi4py for the MPI of the launcher, or start them with the mpiexec of the MPI it uses"
        found = f"{MPI.COMM_WORLD.size} in mpi4py"
        mpi_launch.refuse(InputError("processes", f"{size}, as the launcher started", found, do))
    processors = threadpools.processors()
    on_node = MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED).allgather(processors)
    sharing = sum(not processors.isdisjoint(other) for other in on_node)
    threadpools.choose_threads(max(1, min(threadpools.threads(), len(processors) // sharing)))
    return Processes(MPI.COMM_WORLD)
