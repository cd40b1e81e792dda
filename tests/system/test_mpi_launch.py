"""Processes that an MPI launcher started together."""

import pytest

from deeptheory.system import mpi_launch, provenance


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, (0, 1)),
        ({"PMI_RANK": "1", "PMI_SIZE": "2"}, (1, 2)),
        ({"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "3"}, (2, 3)),
        ({"PMIX_RANK": "3", "SLURM_STEP_NUM_TASKS": "4"}, (3, 4)),
        ({"PMIX_RANK": "0", "SLURM_STEP_NUM_TASKS": "1"}, (0, 1)),  # srun -n 1
        ({"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "4"}, (0, 1)),  # srun without MPI
    ],
)
def test_place(monkeypatch, environment, place):
    for name in {name for names in mpi_launch.PLACES for name in names}:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert mpi_launch.place() == place
    assert provenance.provenance()["processes"] == place[1]


def test_a_command_for_one_process_is_refused_by_the_first(launched, deeptheory, assert_refused, tmp_path):
    launched(0)
    result = deeptheory("measure", tmp_path)
    assert_refused(result, "processes: expected 1 for this command, found 2; start it without mpiexec")
    launched(1)
    assert deeptheory("measure", tmp_path) == (2, "", "")
    launched(0, size=1)
    assert_refused(deeptheory("measure", tmp_path), "expected a directory with config.toml")
