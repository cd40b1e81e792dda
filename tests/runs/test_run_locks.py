"""One process at a time: who holds a lock, and when it is stale."""

import json
import os
import platform
import subprocess
import sys

import pytest

from deeptheory.errors import InputError
from deeptheory.runs import run_locks as module
from deeptheory.runs.run_locks import holder, lock

OTHER_HOST = {
    "host": "node7",
    "process": 1,
    "started": None,
    "namespace": None,
    "since": "2030-01-02T03:04:05+00:00",
    "slurm": {},
    "token": "0",
}


@pytest.fixture
def held(tmp_path):
    """Put a lock there, as another process would."""

    def put(**changes):
        (tmp_path / "run.lock").write_text(json.dumps({**OTHER_HOST, **changes}))

    return put


@pytest.fixture
def squeue(monkeypatch, tmp_path_factory):
    """A Slurm that answers so."""

    def install(output="", error="", code=0):
        programs = tmp_path_factory.mktemp("bin")
        path = programs / "squeue"
        path.write_text(f"#!/bin/sh\nprintf '%s' '{output}'\nprintf '%s' '{error}' >&2\nexit {code}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)

    return install


def take(directory):
    with lock(directory):
        pass


def test_it_is_there_in_the_block_and_gone_after_it(tmp_path):
    with lock(tmp_path) as first:
        assert first
        there = json.loads((tmp_path / "run.lock").read_text())
        assert (there["host"], there["process"]) == (platform.node(), os.getpid())
        assert holder(tmp_path).startswith(f"process {os.getpid()} on {platform.node()}, since 2")
    assert list(tmp_path.iterdir()) == []
    assert holder(tmp_path) is None


def test_one_process_takes_it_once(tmp_path):
    with lock(tmp_path), lock(tmp_path / ".." / tmp_path.name) as inner:
        assert not inner
    assert list(tmp_path.iterdir()) == []


def test_it_is_let_go_after_an_error(tmp_path):
    def fail():
        with lock(tmp_path):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_living_process_keeps_it_and_a_dead_one_does_not(tmp_path):
    code = (
        "import sys, pathlib\n"
        "from deeptheory.runs.run_locks import lock\n"
        "with lock(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout.readline() == b"held\n"
        expected = (
            f"^run {tmp_path}: expected no other process that writes it, found one at work: "
            rf"process {other.pid} on {platform.node()}, since 2\S+; wait for it, or delete "
            rf"{tmp_path}/run.lock if it is not running any more$"
        )
        with pytest.raises(InputError, match=expected):
            take(tmp_path)
    finally:
        other.kill()
        other.communicate()
    assert holder(tmp_path) is None
    take(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_later_process_of_the_same_number_is_another_one(tmp_path, held):
    mine = module._identity()
    held(**{**mine, "started": "an earlier boot 17"})
    take(tmp_path)
    held(**mine)
    with pytest.raises(InputError, match=f"process {os.getpid()} "):
        take(tmp_path)


def test_a_process_of_another_host_is_believed_to_run(tmp_path, held):
    held()
    with pytest.raises(InputError, match=r"process 1 on node7, since 2030-01-02T03:04:05\+00:00; wait"):
        take(tmp_path)


def test_a_process_of_another_container_is_believed_to_run(tmp_path, held):
    held(host=platform.node(), namespace="pid:[1]")
    with pytest.raises(InputError, match="one at work"):
        take(tmp_path)


def test_a_requeued_job_takes_over_from_itself(tmp_path, held, monkeypatch):
    held(slurm={"SLURM_JOB_ID": "12"})
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    take(tmp_path)


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        ({"output": "RUNNING"}, False),
        ({"output": "PENDING"}, False),
        ({"output": ""}, True),
        ({"error": "slurm_load_jobs error: Invalid job id specified", "code": 1}, True),
        ({"error": "slurm_load_jobs error: Unable to contact slurm controller", "code": 1}, False),
    ],
)
def test_slurm_is_asked_for_the_job_of_another_host(tmp_path, held, squeue, answer, gone):
    held(slurm={"SLURM_JOB_ID": "12"})
    squeue(**answer)
    if gone:
        take(tmp_path)
    else:
        with pytest.raises(InputError, match="node7, Slurm job 12, since"):
            take(tmp_path)


def test_without_slurm_the_job_is_believed_to_run(tmp_path, held, monkeypatch):
    held(slurm={"SLURM_JOB_ID": "12"})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="one at work"):
        take(tmp_path)


def test_half_a_lock_is_none(tmp_path):
    (tmp_path / "run.lock").write_text('{"host": "no')
    take(tmp_path)


def test_a_lock_that_was_taken_over_meanwhile_is_put_back(tmp_path, held):
    held()
    module._discard(tmp_path / "run.lock", {**OTHER_HOST, "token": "stale"})
    assert json.loads((tmp_path / "run.lock").read_text()) == OTHER_HOST
    assert len(list(tmp_path.iterdir())) == 1


def test_it_needs_no_hard_links(tmp_path, monkeypatch, held):
    def refuse(one, other):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    take(tmp_path)
    held()
    with pytest.raises(InputError, match="one at work"):
        take(tmp_path)


def test_where_nothing_can_be_written_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with lock(tmp_path) as first:
        assert not first
        assert list(tmp_path.iterdir()) == []
