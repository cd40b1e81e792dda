import subprocess
import sys
from types import SimpleNamespace

import pytest

from deeptheory.errors import RunFailed
from deeptheory.plugins.options import PluginOptions
from deeptheory.studies import local_processes

FAIL, PASS = "raise SystemExit(3)", "pass"
KILLED = "import os; os.kill(os.getpid(), 9)"


def writes(path):
    return f"open({str(path)!r}, 'w').close()"


def waits_and_writes(path):
    return f"import time; time.sleep(60); {writes(path)}"


@pytest.fixture
def side_by_side(monkeypatch):
    """Runs whose processes do what their directories say, as Python."""
    monkeypatch.setattr(local_processes, "POLL", 0.01)
    monkeypatch.setattr(
        local_processes, "_command", lambda words, run, *_: [sys.executable, "-c", run.directory]
    )

    def call(programs, jobs=2, **options):
        runs = [Hashable(directory=program) for program in programs]
        return runs, local_processes.run_side_by_side(runs, jobs, True, **options)

    return call


class Hashable(SimpleNamespace):
    __hash__ = object.__hash__


def test_the_command_is_the_chain_with_its_share_of_the_threads(tmp_path):
    run = SimpleNamespace(directory=tmp_path, config=SimpleNamespace(plugins=PluginOptions()))
    words = [sys.executable, "-m", "deeptheory", "chain", str(tmp_path), "--threads", "2"]
    assert local_processes._command(("chain",), run, 2, quiet=False) == words
    assert local_processes._command(("chain",), run, 2, quiet=True) == [*words, "--quiet"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_all_runs_are_computed(side_by_side, tmp_path, jobs):
    paths = [tmp_path / name for name in "abc"]
    _, failed = side_by_side(map(writes, paths), jobs)
    assert failed == {}
    assert all(path.exists() for path in paths)


def test_a_failure_stops_the_others(side_by_side, tmp_path):
    with pytest.raises(RunFailed, match="failed with exit code 3"):
        side_by_side([FAIL, waits_and_writes(tmp_path / "long"), writes(tmp_path / "next")])
    assert not any(tmp_path.iterdir())


def test_a_failure_leaves_the_others_alone_when_asked(side_by_side, tmp_path):
    path = tmp_path / "next"
    runs, failed = side_by_side([FAIL, PASS, KILLED, writes(path)], keep_going=True)
    assert failed == {runs[0]: 3, runs[2]: -9}
    assert path.exists()


def test_an_interruption_stops_all(side_by_side, tmp_path, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(local_processes.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        side_by_side([waits_and_writes(tmp_path / "long")] * 2, keep_going=True)
    assert not any(tmp_path.iterdir())


def test_a_process_of_a_run_starts_without_the_slow_libraries():
    """Each of them takes as long to load as a short run takes to begin."""
    program = (
        "import sys, deeptheory.runs; slow = {'matplotlib', 'scipy.stats', 'scipy.optimize', 'scipy.integrate'}; "
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
