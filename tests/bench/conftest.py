import pytest

from deeptheory.bench import Setting
from deeptheory.bench.cases import Task

SIDE = """
import os
import sys
import time
from deeptheory.errors import InputError

def start(threads):
    print("a library that prints", threads)

def steady(task):
    return lambda: 0.25

def variables(task):
    names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")
    sys.stderr.write(" ".join(f"{name}={os.environ.get(name)}" for name in names) + "\\n")
    return lambda: 0.5

def refuse(task):
    raise InputError("network", "a small one", "a large one", "make it smaller")

def end(task):
    return lambda: os._exit(7)

def turns(task):
    def step():
        with open(task.network_file, "a") as file:
            file.write(task.memory_format)
        return 0.5
    return step
"""


@pytest.fixture
def task(tmp_path, monkeypatch):
    """A task for a side that computes nothing."""
    (tmp_path / "side.py").write_text(SIDE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")

    def make(step, **named):
        return Task(module="side", step=step, setting=Setting(), **named)

    return make
