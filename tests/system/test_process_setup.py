"""The set-up of processes of our own, and imports that change nothing in those of others."""

import json

import pytest

from deeptheory.errors import InputError
from deeptheory.system import instructions, process_setup
from tests.system.processes import python

CHANGES = """
import json, os, sys
import numpy, scipy.linalg.cython_blas, numba

def pools():
    kept = os.environ.get("KMP_DUPLICATE_LIB_OK")
    import threadpoolctl
    if kept is None:
        os.environ.pop("KMP_DUPLICATE_LIB_OK", None)
    return threadpoolctl.threadpool_info()

def state():
    environment = dict(os.environ)
    options = {name: repr(getattr(numba.config, name)) for name in dir(numba.config) if name.isupper()}
    return [environment, pools(), options]

before = state()
exec(sys.argv[1])
print(json.dumps([before, state()]))
"""
IMPORTS = """
import importlib, pkgutil, deeptheory
for module in pkgutil.walk_packages(deeptheory.__path__, "deeptheory."):
    if not module.name.startswith("deeptheory.bench.torch_") and module.name != "deeptheory.__main__":
        importlib.import_module(module.name)
"""
CALLS = """
import numpy as np
from deeptheory import nn
network = nn.build("vgg6", 4, (16, 16, 1), width=0.25, rng=np.random.default_rng(0))
images, labels = np.zeros((8, 16, 16, 1), np.float32), np.zeros(8, np.int64)
numba.set_num_threads(numba.get_num_threads())  # loads the threads of Numba
before = state()
nn.accuracy(network, images, labels)
"""


def changed_by(script, environment):
    return json.loads(python(CHANGES, environment, script).stdout)


@pytest.mark.parametrize("variables", [{}, {"OMP_NUM_THREADS": "1"}], ids=["", "OMP_NUM_THREADS=1"])
@pytest.mark.parametrize("script", [IMPORTS, CALLS], ids=["imports", "calls"])
def test_the_process_of_a_user_stays_as_it_was(script, variables, bare_environment):
    before, after = changed_by(script, bare_environment | variables)
    assert after == before


def test_slurm_limits_numba_and_blas(bare_environment):
    script = (
        "from deeptheory.system import process_setup, threadpools\nprocess_setup.configure()\n"
        "import numba, numpy, threadpoolctl\n"
        "blas = {p['num_threads'] for p in threadpoolctl.threadpool_info() if p['user_api'] == 'blas'}\n"
        "print(threadpools.threads(), numba.get_num_threads(), *blas)"
    )
    limited = bare_environment | {"SLURM_CPUS_PER_TASK": "1"}
    assert python(script, limited).stdout.split() == ["1", "1", "1"]


def test_threads_can_be_set_before_and_after_numba(bare_environment):
    script = (
        "from deeptheory.system import process_setup, threadpools\nprocess_setup.configure(1)\n"
        "import numba\nprocess_setup.configure(1)\nbefore = numba.get_num_threads()\n"
        "process_setup.configure(threadpools.allowed_threads())\n"
        "print(before, numba.get_num_threads() == threadpools.threads() == threadpools.allowed_threads())"
    )
    assert python(script, bare_environment).stdout.split() == ["1", "True"]


def test_wrong_settings_are_refused_before_anything_is_set(monkeypatch):
    with pytest.raises(InputError, match=r"threads: expected 1 to \d+, found 100000"):
        process_setup.configure(100_000)
    monkeypatch.setenv("DEEPTHEORY_VECTORS", "avx51")
    with pytest.raises(InputError, match=r"DEEPTHEORY_VECTORS: expected .*'avx51'; did you mean 'avx512'"):
        process_setup.configure()


def test_vectors_that_the_processor_lacks_are_refused(monkeypatch):
    monkeypatch.setattr(instructions, "_processor_vectors", lambda: "avx2")
    monkeypatch.setenv("DEEPTHEORY_VECTORS", "avx512")
    with pytest.raises(InputError, match="DEEPTHEORY_VECTORS: expected avx2 or plain, found avx512"):
        instructions.vectors()
    monkeypatch.delenv("DEEPTHEORY_VECTORS")
    assert instructions.vectors() == "avx2"
