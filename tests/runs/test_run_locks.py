"""One process at a time: who holds a lock, and when it is stale."""

import hashlib
import json
import os
import platform
import subprocess
import sys

import pytest

from deeptheory.errors import InputError
from deeptheory.runs import run_locks as module
from deeptheory.runs.run_locks import Locked, holder, lock
from deeptheory.store import exclusive_files, paths
from deeptheory.system import file_systems, process_identity

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

    def install(output="", error="", code=0, cluster="c1", hidden="none"):
        programs, config = (
            tmp_path_factory.mktemp("bin"),
            f"ClusterName = {cluster}\nPrivateData = {hidden}\n",
        )
        for name, said, wrong, end in (("squeue", output, error, code), ("scontrol", config, "", 0)):
            path = programs / name
            path.write_text(f"#!/bin/sh\nprintf '%s' '{said}'\nprintf '%s' '{wrong}' >&2\nexit {end}\n")
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


@pytest.fixture
def shared(monkeypatch):
    """Directories are on a file system that several machines have mounted."""
    monkeypatch.setattr(file_systems, "is_of_this_machine", lambda directory: False)


def test_a_later_process_of_the_same_number_is_another_one(tmp_path, held):
    mine = process_identity.identity()
    boot = mine["started"].split()[0]
    held(**{**mine, "started": f"{boot} 17"})
    take(tmp_path)
    held(**mine)
    with pytest.raises(Locked, match=f"process {os.getpid()} "):
        take(tmp_path)


def test_a_process_of_another_host_is_believed_to_run(tmp_path, held):
    held()
    with pytest.raises(Locked, match=r"process 1 on node7, since 2030-01-02T03:04:05\+00:00; wait"):
        take(tmp_path)


def test_a_process_of_another_container_is_believed_to_run(tmp_path, held):
    held(**{**process_identity.identity(), "namespace": "pid:[1]", "process": 2**22})
    with pytest.raises(Locked, match="one at work"):
        take(tmp_path)


def test_another_host_of_the_same_name_is_another_host(tmp_path, held, shared):
    mine = process_identity.identity()
    held(**{**mine, "started": "another-boot 17", "process": 2**22})
    with pytest.raises(Locked, match=f"one at work: process {2**22} on {platform.node()}"):
        take(tmp_path)


def test_an_earlier_boot_has_ended_where_no_other_machine_can_write(tmp_path, held, monkeypatch):
    monkeypatch.setattr(file_systems, "is_of_this_machine", lambda directory: directory == tmp_path)
    held(**{**process_identity.identity(), "started": "another-boot 17"})
    take(tmp_path)


IN_A_JOB = {
    "SLURM_JOB_ID": "12",
    "SLURM_CLUSTER_NAME": "c1",
    "SLURMD_NODENAME": "node7",
    "SLURM_STEP_ID": "0",
}


@pytest.fixture
def in_job(monkeypatch):
    """This process runs in a job of Slurm."""

    def enter(**variables):
        for name, value in {**IN_A_JOB, "SLURMD_NODENAME": "node8", **variables}.items():
            monkeypatch.setenv(name, value)

    return enter


@pytest.mark.parametrize(
    ("before", "now", "gone"),
    [
        ({}, {}, False),  # srun -N2: one job, two nodes
        ({}, {"SLURM_STEP_ID": "1"}, False),
        ({}, {"SLURM_RESTART_COUNT": "1"}, True),
        ({"SLURM_RESTART_COUNT": "1"}, {"SLURM_RESTART_COUNT": "2"}, True),
        ({"SLURM_RESTART_COUNT": "1"}, {"SLURM_RESTART_COUNT": "1"}, False),
        ({"SLURM_CLUSTER_NAME": "c2"}, {"SLURM_RESTART_COUNT": "1"}, False),
    ],
)
def test_a_job_takes_over_from_itself_once_it_was_requeued(tmp_path, held, in_job, before, now, gone):
    held(slurm={**IN_A_JOB, **before})
    in_job(**now)
    if gone:
        take(tmp_path)
    else:
        with pytest.raises(Locked, match=r"node7, Slurm job 12 of c\d, since"):
            take(tmp_path)


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        ({"output": "RUNNING"}, False),
        ({"output": "PENDING"}, False),
        ({"output": ""}, True),
        ({"error": "slurm_load_jobs error: Invalid job id specified", "code": 1}, True),
        ({"error": "slurm_load_jobs error: Unable to contact slurm controller", "code": 1}, False),
        ({"output": "", "cluster": "c2"}, False),
        ({"output": "", "hidden": "jobs,usage"}, False),
        ({"output": "", "hidden": "jobs,usage", "user": True}, True),
    ],
)
def test_slurm_is_asked_for_the_job_of_another_host(tmp_path, held, squeue, answer, gone):
    user = os.getuid() + (not answer.pop("user", False))
    held(slurm=IN_A_JOB, user=user)
    squeue(**answer)
    if gone:
        take(tmp_path)
    else:
        with pytest.raises(Locked, match="node7, Slurm job 12 of c1, since"):
            take(tmp_path)


@pytest.mark.parametrize("lost", ["SLURM_CLUSTER_NAME", "SLURMD_NODENAME"])
def test_a_job_of_an_unknown_cluster_or_a_process_beside_it_is_believed_to_run(tmp_path, held, squeue, lost):
    held(slurm={name: value for name, value in IN_A_JOB.items() if name != lost}, user=os.getuid())
    squeue()
    with pytest.raises(Locked, match="node7, Slurm job 12"):
        take(tmp_path)


def test_without_slurm_the_job_is_believed_to_run(tmp_path, held, monkeypatch):
    held(slurm=IN_A_JOB)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Locked, match="one at work"):
        take(tmp_path)


@pytest.mark.parametrize("text", ["", '{"host": "no', "[1]", "{}", "[" * 5000])
def test_a_lock_that_does_not_say_whose_it_is_may_be_in_the_making(tmp_path, text):
    (tmp_path / "run.lock").write_text(text)
    with pytest.raises(
        Locked, match=r"one at work: unknown, its lock cannot be read; wait for it, or delete"
    ):
        take(tmp_path)
    assert holder(tmp_path) == "unknown, its lock cannot be read"


def test_a_lock_that_lacks_entries_is_kept(tmp_path):
    (tmp_path / "run.lock").write_text(json.dumps({"host": "node7", "slurm": 3, "process": "x"}))
    with pytest.raises(Locked, match=r"process x on node7, since \?"):
        take(tmp_path)


def test_two_that_take_over_at_once_do_not_both_get_it(tmp_path, held, monkeypatch):
    """The slower one has read the old lock before the quicker one took it, and acts after."""
    held(**{**process_identity.identity(), "started": f"{process_identity._boot()} 17"})
    path = tmp_path / "run.lock"
    stale = path.read_text()
    quicker = {**process_identity.identity(), "token": "quicker"}
    assert module._take_over(path, stale, json.dumps(quicker))
    assert not module._take_over(path, stale, json.dumps({**quicker, "token": "slower"}))
    assert json.loads(path.read_text())["token"] == "quicker"
    assert len(list(tmp_path.iterdir())) == 1


def test_one_that_was_killed_while_it_took_over_is_taken_over_too(tmp_path, held):
    dead = {**process_identity.identity(), "started": f"{process_identity._boot()} 17"}
    held(**dead)
    path = tmp_path / "run.lock"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    path.with_name(f"run.lock.{digest}").write_text(json.dumps({**dead, "token": "killed"}))
    take(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def no_links(monkeypatch):
    def refuse(one, other):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)


def test_it_needs_no_hard_links(tmp_path, no_links, held):
    take(tmp_path)
    held()
    with pytest.raises(Locked, match="one at work"):
        take(tmp_path)


def test_without_hard_links_a_lock_that_cannot_be_written_does_not_stay(tmp_path, no_links, monkeypatch):
    def fail(opened):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exclusive_files.os, "write", lambda *_: fail(0))
    with pytest.raises(OSError, match="No space"):
        take(tmp_path)
    assert not (tmp_path / "run.lock").exists()


def test_where_nothing_can_be_written_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with lock(tmp_path) as first:
        assert not first
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["directory", "pipe", "device", "loop"])
def test_a_lock_that_is_no_file_is_that_of_an_unknown_process(tmp_path, kind):
    path = tmp_path / paths.LOCK
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    assert holder(tmp_path) == "unknown, its lock cannot be read"
    with pytest.raises(Locked, match="unknown, its lock cannot be read"), lock(tmp_path):
        pass
