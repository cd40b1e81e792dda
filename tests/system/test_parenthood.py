"""A worker ends with the process that started it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

WORKER = (
    "import time; from deeptheory.system import parenthood; parenthood.end_with_parent(); {}time.sleep(60)"
)
PARENT = (
    "import subprocess, sys, time\n"
    "from deeptheory.system import parenthood\n"
    "worker = subprocess.Popen([sys.executable, '-c', sys.argv[1]], env=parenthood.of_child(),\n"
    "    stdout=subprocess.PIPE)\n"
    "worker.stdout.readline()\n"
    "print(worker.pid, flush=True)\n"
    "time.sleep(60)\n"
)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel of Linux does it")
def test_a_worker_ends_when_its_parent_is_killed(tmp_path):
    worker = WORKER.format("print(flush=True); ")
    parent = subprocess.Popen([sys.executable, "-c", PARENT, worker], stdout=subprocess.PIPE, text=True)
    number = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    for _ in range(1000):
        try:
            state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.01)
    pytest.fail("the worker lives")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel of Linux does it")
def test_a_worker_whose_parent_has_ended_before_it_came_to_life_ends():
    script = WORKER.format("")
    environment = {"DEEPTHEORY_PARENT": "1", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, timeout=50, check=False)
    assert done.returncode == 137


def test_a_process_that_nobody_asked_for_it_goes_on():
    script = WORKER.format("").replace("60", "0")
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
