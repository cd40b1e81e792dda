"""A tiny study, finished once per session; what the tests of runs and of the command line share."""

import contextlib
import os
import shutil
import signal
import sys
from collections import namedtuple

import h5py
import numpy as np
import pytest

from deeptheory.system import process_setup

process_setup.configure()  # as the command line does, before anything compiled is imported

from deeptheory.cli.main import main  # noqa: E402
from deeptheory.runs import Run  # noqa: E402
from deeptheory.runs.configuration import config_from, to_toml  # noqa: E402
from deeptheory.store import paths  # noqa: E402
from deeptheory.studies import confirm  # noqa: E402
from deeptheory.studies.sweep import Sweep, SweepOptions  # noqa: E402
from deeptheory.system import mpi_launch, threadpools  # noqa: E402

TINY = {
    "seed": 3,
    "data": {"n_labels": 5, "size": 16, "train_per_label": 40, "test_per_label": 10, "measure_share": 0.25},
    "network": {"name": "vgg6", "width": 0.125},
    "train": {"epochs": 2, "batch": 20, "shift": 1, "flip": False},
    "measure": {"bootstrap": 100},
    "prune": {"stages": ["stage4", "stage5"]},
    "retrain": {"epochs": 1, "batch": 20, "shift": 1, "flip": False},
    "judge": {"seeds": 1},
}

TINY_SWEEP = {
    **TINY,
    "train": {**TINY["train"], "epochs": 1},
    "data": {**TINY["data"], "train_per_label": 20},
    "judge": {"seeds": 2},
}

TIMES = ("finished", "wall_seconds", "begun", "seconds", "peak_bytes")  # what differs from run to run


Result = namedtuple("Result", "code out err")


def pytest_configure():
    """Heed Ctrl-C, which the tests send: what a shell starts in the background ignores it for good."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def _one_thread():
    before = threadpools.threads()
    process_setup.configure(1)
    try:
        yield
    finally:
        process_setup.configure(before)


@pytest.fixture(scope="module")
def one_thread():
    """Tiny matrices are slower on several threads, above all on a busy machine."""
    with _one_thread():
        yield


@pytest.fixture
def bare_environment():
    """The environment without variables that limit threads or name directories of compiled kernels."""
    prefixes = "DEEPTHEORY_", "OMP_", "OPENBLAS_", "MKL_", "NUMBA_", "SLURM_"
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


@pytest.fixture(scope="session")
def tiny_config():
    return config_from(TINY)


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory, tiny_config):
    """Directory of the study of one seed; not to be written to."""
    directory = tmp_path_factory.mktemp("tiny") / "study"
    with _one_thread():
        confirm(tiny_config, directory, command="deeptheory confirm tiny.toml", quiet=True)
    return directory


@pytest.fixture
def study(finished_study, tmp_path):
    """A copy of the finished study that a test may change."""
    return shutil.copytree(finished_study, tmp_path / "study")


@pytest.fixture
def run(study):
    return Run(study / "seed-3", quiet=True)


@pytest.fixture
def run_until(study):
    """The finished run with every step after the named one taken out."""

    def undo(last: str) -> Run:
        run = Run(study / "seed-3", quiet=True)
        with h5py.File(run.results, "r+") as file:
            for step in paths.STEPS[paths.STEPS.index(last) + 1 :]:
                del file[step], file[f"{paths.PROVENANCE}/{step}"]
        return run

    return undo


@pytest.fixture
def deeptheory(monkeypatch, capsys):
    """Run one command; every call must end with an exit code and without a traceback."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["deeptheory", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Result(ended.value.code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def config(tmp_path, tiny_config):
    path = tmp_path / "tiny.toml"
    path.write_text(to_toml(tiny_config), encoding="utf-8")
    return path


@pytest.fixture
def assert_refused():
    """Exit code 2, nothing on standard output, and one line with the words on standard error."""

    def check(result, *words):
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("error: ")
        assert result.err.count("\n") == 1
        for word in words:
            assert word in result.err

    return check


@pytest.fixture
def assert_same():
    """Two trees are the same to the last bit, apart from the times."""
    return _assert_same


def _assert_same(found, expected, where=""):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for name in expected.keys() - set(TIMES):
            _assert_same(found[name], expected[name], f"{where}/{name}")
    else:
        np.testing.assert_array_equal(found, expected, err_msg=where)


@pytest.fixture
def launched(monkeypatch):
    """Let this process pass for one of those that the launcher of Open MPI started."""

    def start(rank, size=2):
        for name in {name for names in mpi_launch.PLACES for name in names}:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("OMPI_COMM_WORLD_RANK", str(rank))
        monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", str(size))
        monkeypatch.setattr(mpi_launch, "GRACE", 0)

    return start


@pytest.fixture(scope="session")
def sweep_of():
    """The tiny configuration as a sweep over `grid` and `variants`."""

    def make(grid=None, variants=(), steps="measure", **tables):
        options = SweepOptions(steps=steps, grid=grid or {}, variants=tuple(variants))
        return Sweep(config_from({**TINY_SWEEP, **tables}), options)

    return make
