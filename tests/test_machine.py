"""Threads, caches and facts."""

import os
import subprocess
import sys

import pytest

from deeptheory import machine
from deeptheory.errors import InputError


def run(script, **environment):
    dropped = ("NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "SLURM_CPUS_PER_TASK", "DEEPTHEORY_CACHE")
    kept = {k: v for k, v in os.environ.items() if k not in dropped}
    done = subprocess.run(
        [sys.executable, "-c", script], env=kept | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def test_cache_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("DEEPTHEORY_CACHE", str(tmp_path / "own"))
    assert machine.cache_directory() == tmp_path / "own"
    monkeypatch.delenv("DEEPTHEORY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert machine.cache_directory() == tmp_path / "deeptheory"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert machine.cache_directory() == tmp_path / ".cache" / "deeptheory"


def test_kernels_are_kept_in_the_cache_directory(tmp_path):
    script = (
        "from deeptheory.compiled import njit\nimport os, numba\n"
        "print(numba.config.CACHE_DIR, os.environ['NUMBA_CACHE_DIR'])"
    )
    first, second = run(script, DEEPTHEORY_CACHE=str(tmp_path)).stdout.split()
    assert first == second
    assert first.startswith(str(tmp_path / "kernels"))


def test_compiled_kernels_are_noticed(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert not machine.kernels_are_compiled()
    (tmp_path / "nn").mkdir()
    (tmp_path / "nn" / "kernel.nbi").touch()
    assert machine.kernels_are_compiled()
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert not machine.kernels_are_compiled()


def test_own_directory_of_kernels_is_respected(tmp_path):
    script = (
        "from deeptheory import machine; import os; machine.configure(); print(os.environ['NUMBA_CACHE_DIR'])"
    )
    assert run(script, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == str(tmp_path)


def test_kernels_of_other_vectors_are_kept_apart(tmp_path):
    script = (
        "from deeptheory import machine; import os; machine.configure(); print(os.environ['NUMBA_CACHE_DIR'])"
    )
    best = run(script, DEEPTHEORY_CACHE=str(tmp_path)).stdout.strip()
    # The variable is handed down to the processes that a run starts.
    child = {"DEEPTHEORY_CACHE": str(tmp_path), "NUMBA_CACHE_DIR": best}
    assert run(script, **child).stdout.strip() == best
    for vectors in machine.VECTORS[machine.VECTORS.index(machine.vectors()) :]:
        found = run(script, **child, DEEPTHEORY_VECTORS=vectors).stdout.strip()
        assert found.startswith(str(tmp_path / "kernels"))
        assert (found == best) == (vectors == machine.vectors())


def test_unknown_vectors_are_refused_with_the_nearest(monkeypatch):
    monkeypatch.setenv("DEEPTHEORY_VECTORS", "avx51")
    text = (
        r"^DEEPTHEORY_VECTORS: expected one of avx2, avx512, plain, found 'avx51'; did you mean 'avx512'\?$"
    )
    for refuse in (machine.vectors, machine.configure):
        with pytest.raises(InputError, match=text):
            refuse()


def test_vectors_that_the_processor_lacks_are_refused(monkeypatch):
    monkeypatch.setattr(machine, "_processor_vectors", lambda: "avx2")
    monkeypatch.setenv("DEEPTHEORY_VECTORS", "avx512")
    text = "^DEEPTHEORY_VECTORS: expected avx2 or plain, found avx512; this processor does not have others$"
    with pytest.raises(InputError, match=text):
        machine.vectors()
    monkeypatch.delenv("DEEPTHEORY_VECTORS")
    assert machine.vectors() == "avx2"


def test_without_a_writable_cache_kernels_still_work_with_one_warning(tmp_path):
    (tmp_path / "file").write_text("")
    script = (
        "from deeptheory.compiled import njit\nfrom deeptheory import machine\n"
        "double = njit()(eval('lambda x: 2 * x'))\n"
        "print(double(4), machine.caching())"
    )
    done = run(script, DEEPTHEORY_CACHE=str(tmp_path / "file" / "cache"))
    assert done.stdout.split() == ["8", "False"]
    assert done.stderr.count("compiled kernels cannot be kept in") == 1
    assert "set DEEPTHEORY_CACHE to a directory you can write to" in done.stderr


def test_slurm_limits_numba_and_blas():
    script = (
        "from deeptheory import compiled, machine\nimport numba, numpy, threadpoolctl\n"
        "blas = {p['num_threads'] for p in threadpoolctl.threadpool_info() if p['user_api'] == 'blas'}\n"
        "print(machine.threads(), numba.get_num_threads(), *blas)"
    )
    assert run(script, SLURM_CPUS_PER_TASK="1").stdout.split() == ["1", "1", "1"]


def test_threads_can_be_set_before_and_after_numba():
    script = (
        "from deeptheory import machine\nmachine.configure(1)\nfrom deeptheory import compiled\n"
        "import numba\nbefore = numba.get_num_threads()\nmachine.configure(machine._allowed_threads())\n"
        "print(before, numba.get_num_threads() == machine.threads() == machine._allowed_threads())"
    )
    assert run(script).stdout.split() == ["1", "True"]


def test_too_many_threads_are_refused():
    with pytest.raises(
        InputError, match=r"threads: expected 1 to \d+, found 100000; this process may not use"
    ):
        machine.configure(100_000)


def test_blas_is_held_at_one_thread_and_given_back():
    import threadpoolctl

    def blas_threads():
        return [p["num_threads"] for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"]

    with machine.single_threaded_blas():
        pass  # loads every BLAS there is
    before = blas_threads()
    with machine.single_threaded_blas(), machine.single_threaded_blas():
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_facts(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    facts = machine.facts()
    assert facts["threads"] == machine.threads()
    assert facts["vectors"] == machine.vectors()
    assert facts["slurm"]["SLURM_JOB_ID"] == "17"
    assert set(machine.RECORDED_PACKAGES) == set(facts["packages"])
    assert len(facts["git_revision"]) in (0, 40)
    assert isinstance(facts["git_dirty"], bool)


def test_results_larger_than_the_memory_are_refused(monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: 10**10)
    machine.require_memory("the matrix", 8 * 10**9, "make it smaller")
    text = "the matrix: expected at most 80 % of the free memory, 8.0 GB, found 34.4 GB; make it smaller"
    with pytest.raises(InputError, match=text):
        machine.require_memory("the matrix", 34_400_000_000, "make it smaller")
    monkeypatch.setattr(machine, "free_memory", lambda: None)
    machine.require_memory("the matrix", 10**18, "make it smaller")
    assert machine.gigabytes(12_345_678) == "0.012 GB"
