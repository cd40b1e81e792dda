"""Where compiled kernels are kept."""

import pytest

from deeptheory.system import instructions, kernel_cache
from tests.system.processes import python

DIRECTORY = "from deeptheory.system import kernel_cache; print(kernel_cache.kernel_directory())"


def test_cache_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("DEEPTHEORY_CACHE", str(tmp_path / "own"))
    assert kernel_cache.cache_directory() == tmp_path / "own"
    monkeypatch.delenv("DEEPTHEORY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kernel_cache.cache_directory() == tmp_path / "deeptheory"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kernel_cache.cache_directory() == tmp_path / ".cache" / "deeptheory"


def test_only_our_kernels_are_kept_there(bare_environment, tmp_path):
    script = (
        "from deeptheory.system.compiled import njit\nimport numba\nprint(numba.config.CACHE_DIR)\n"
        "from deeptheory.theory.simulations import perceptron\nfrom deeptheory.nn import kernels\n"
        "import numpy as np\nkernels.relu_forward(np.zeros(16, np.float32))"
    )
    assert python(script, bare_environment | {"DEEPTHEORY_CACHE": str(tmp_path)}).stdout.strip() == ""
    assert list((tmp_path / "kernels").rglob("*.nbi"))


def test_compiled_kernels_are_noticed(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert not kernel_cache.kernels_are_compiled()
    (kernel_cache.kernel_directory() / "kernel.nbi").touch()
    assert kernel_cache.kernels_are_compiled()


@pytest.mark.parametrize("variable", ["NUMBA_CACHE_DIR", "DEEPTHEORY_CACHE"])
def test_the_directory_of_the_user_is_taken(variable, bare_environment, tmp_path):
    assert python(DIRECTORY, bare_environment | {variable: str(tmp_path)}).stdout.startswith(str(tmp_path))


def test_kernels_of_other_vectors_and_optimisation_are_kept_apart(bare_environment, tmp_path):
    environment = bare_environment | {"DEEPTHEORY_CACHE": str(tmp_path)}
    possible = instructions.VECTORS[instructions.VECTORS.index(instructions.vectors()) :]
    settings = [{}, {"NUMBA_OPT": "1"}, *({"DEEPTHEORY_VECTORS": vectors} for vectors in possible[1:])]
    found = [python(DIRECTORY, environment | setting).stdout for setting in settings]
    assert len(set(found)) == len(settings)
    assert python(DIRECTORY, environment | {"DEEPTHEORY_VECTORS": possible[0]}).stdout == found[0]


def test_without_a_writable_cache_kernels_still_work_with_one_warning(bare_environment, tmp_path):
    (tmp_path / "file").write_text("")
    script = (
        "from deeptheory.system.compiled import njit\n"
        "double = njit()(eval('lambda x: 2 * x'))\nprint(double(4))"
    )
    done = python(script, bare_environment | {"DEEPTHEORY_CACHE": str(tmp_path / "file" / "cache")})
    assert done.stdout.split() == ["8"]
    assert done.stderr.count("compiled kernels cannot be kept in") == 1
    assert "set DEEPTHEORY_CACHE to a directory you can write to" in done.stderr
