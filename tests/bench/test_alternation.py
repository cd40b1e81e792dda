"""The protocol of the processes that compute in turn."""

import pytest

from deeptheory.bench import Setting, alternation
from deeptheory.bench.cases import OURS, THEIRS, Task
from deeptheory.errors import InputError


def ignore(done):
    pass


def test_a_child_answers_with_the_seconds_and_the_memory_of_its_process(task):
    with alternation.Child("side", task("steady")) as child:
        reply = child.run(3)
        assert reply.seconds == (0.25, 0.25, 0.25)
        assert 0 < reply.imported <= reply.peak < 2**28
        child.warm_up()
        assert child.steps == 2
    assert child.process.returncode == 0


def test_sides_compute_blocks_of_steps_in_turn(task, tmp_path):
    log = tmp_path / "log"
    tasks = {name: task("turns", memory_format=name, network_file=str(log)) for name in "ab"}
    done = []
    times = alternation.alternate(tasks, 3, done.append)
    assert log.read_text() == "aabb" + "ab" * 3  # two steps of warming up, then one step is a block
    assert times["a"].blocks == times["b"].blocks == [(0.5,)] * 3
    assert done == [1, 2, 3, 4, 5, 6]


def test_what_a_child_refuses_is_raised(task):
    with pytest.raises(InputError, match="network: expected a small one, found a large one; make it smaller"):
        alternation.alternate({"side": task("refuse")}, 1, ignore)


def test_a_child_that_ends_is_reported(task):
    with pytest.raises(
        InputError,
        match="the process of 'torch': expected the times of its steps, found its end with exit code 7; "
        "its own message is above; with code -9 it ran out of memory",
    ):
        alternation.alternate({"torch": task("end")}, 1, ignore)


def test_children_end_when_the_parent_stops(task):
    child = alternation.Child("side", task("steady"))
    with pytest.raises(KeyboardInterrupt), child:
        raise KeyboardInterrupt
    assert child.process.returncode == -9


def test_what_a_library_prints_does_not_disturb(task, capfd):
    alternation.alternate({"side": task("steady")}, 1, ignore)
    assert "a library that prints 1" in capfd.readouterr().err


def test_the_rival_has_its_own_threads_and_none_of_our_settings():
    waiting = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "20000"}
    inherited = {"OMP_NUM_THREADS": "7", "HOME": "/home"} | waiting
    theirs = Task(module=THEIRS, step="inference", setting=Setting(threads=2))
    found = alternation.environment(theirs, inherited)
    assert found == {"HOME": "/home"} | dict.fromkeys(alternation.THREAD_VARIABLES, "2")
    ours = Task(module=OURS, step="inference", setting=Setting(threads=2))
    assert alternation.environment(ours, inherited) == {"HOME": "/home"} | waiting


def test_the_variables_reach_the_process(task, capfd, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    alternation.alternate({"side": task("variables")}, 1, ignore)
    assert "OMP_NUM_THREADS=1 OMP_WAIT_POLICY=None" in capfd.readouterr().err
