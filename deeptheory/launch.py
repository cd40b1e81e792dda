"""Whether an MPI launcher started this process together with others; told by the environment, without MPI."""

import os

PLACES = (
    ("PMI_RANK", "PMI_SIZE"),  # mpiexec of MPICH and Intel MPI, srun --mpi=pmi2
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # mpirun of Open MPI
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),  # srun --mpi=pmix
)


def place() -> tuple[int, int]:
    """Rank of this process, from 0, and the number of processes that one MPI launcher started; 0 and 1 without.

    A plain `srun` (`--mpi=none`) starts processes that do not know of each other: each is alone.
    """
    for names in PLACES:
        rank, size = (os.environ.get(name, "") for name in names)
        if rank.isdigit() and size.isdigit():
            return int(rank), int(size)
    return 0, 1
