"""The number of threads, and Numba and BLAS held to it."""

import numba
import pytest
import threadpoolctl

from deeptheory.errors import InputError
from deeptheory.system import threadpools


def blas_threads():
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]


def test_blas_and_numba_are_held_and_given_back(monkeypatch):
    monkeypatch.setattr(threadpools, "threads", lambda: 1)
    with threadpools.kernel_threads():
        pass  # loads every BLAS there is
    before = blas_threads(), numba.get_num_threads()
    with threadpools.kernel_threads(), threadpools.kernel_threads():
        assert set(blas_threads()) == {1}
        assert numba.get_num_threads() == 1
    assert (blas_threads(), numba.get_num_threads()) == before


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, 4),
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "2,1"}, 2),
        ({"OMP_NUM_THREADS": "many"}, 4),
        ({"SLURM_CPUS_PER_TASK": "2", "OMP_NUM_THREADS": "3"}, 2),
        ({"NUMBA_NUM_THREADS": "1"}, 1),
    ],
)
def test_the_environment_of_the_user_counts(variables, expected, monkeypatch):
    for name in ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK", "NUMBA_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threadpools, "processors", lambda: {0, 1, 2, 3})
    monkeypatch.setattr(threadpools, "_chosen", None)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert threadpools.threads() == expected
    if expected < threadpools.allowed_threads():  # OMP_NUM_THREADS is a default, no limit
        threadpools.choose_threads(expected + 1)
        assert threadpools.threads() == expected + 1


def test_the_environment_is_asked_once_in_a_block(monkeypatch):
    monkeypatch.setattr(threadpools, "_chosen", None)
    monkeypatch.setattr(threadpools, "processors", lambda: {0, 1, 2, 3})
    for name in ("SLURM_CPUS_PER_TASK", "NUMBA_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with threadpools.kernel_threads(), threadpools.kernel_threads():
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        assert threadpools.threads() == 2
        with threadpools.threads_chosen(3):
            assert threadpools.threads() == 3
    assert threadpools.threads() == 1


def test_too_many_threads_are_refused(monkeypatch):
    monkeypatch.setattr(threadpools, "_chosen", 1)
    with pytest.raises(
        InputError, match=r"threads: expected 1 to \d+, found 100000; this process may not use"
    ):
        threadpools.choose_threads(100_000)
    assert threadpools.threads() == 1


def test_little_is_left_to_one_thread():
    with threadpools.kernel_threads():
        before = numba.get_num_threads()
        with threadpools.alone_if(True):
            assert numba.get_num_threads() == 1
        with threadpools.alone_if(False):
            assert numba.get_num_threads() == before
        assert numba.get_num_threads() == before
