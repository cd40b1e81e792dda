"""Whether an MPI launcher started this process together with others; told by the environment, without MPI."""

import os
import sys
import time
from typing import NoReturn

from deeptheory.errors import InputError

PLACES = (
    ("PMI_RANK", "PMI_SIZE"),  # mpiexec of MPICH and Intel MPI, srun --mpi=pmi2
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # mpirun of Open MPI
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),  # srun --mpi=pmix
)
GRACE = 2.0  # seconds that the first process has to report an error that all have met


def place() -> tuple[int, int]:
    """Rank of this process, from 0, and the number of processes that one MPI launcher started; 0 and 1 without.

    A plain `srun` (`--mpi=none`) starts processes that do not know of each other: each is alone.
    """
    for names in PLACES:
        rank, size = (os.environ.get(name, "") for name in names)
        if rank.isdigit() and size.isdigit():
            return int(rank), int(size)
    return 0, 1


def require_one_process() -> None:
    """Refuse to compute the same thing in several processes.

    Raises
    ------
    InputError
        An MPI launcher started several; as `refuse` raises it.
    """
    _, size = place()
    if size > 1:
        do = "start it without mpiexec; only 'train' is computed by several"
        refuse(InputError("processes", "1 for this command", str(size), do))


def refuse(error: InputError) -> NoReturn:
    """Raise the error in the first process; the others, which have met it too, end without a word.

    They wait before, because some launchers end all processes as soon as one has ended with an error.
    """
    rank, _ = place()
    if rank > 0:
        time.sleep(GRACE)
        sys.exit(2)
    raise error
