"""Several processes train what one would."""

import importlib.util
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.training_state import Checkpoint
from deeptheory.runs import Run
from deeptheory.store.checkpoints import CheckpointStore
from deeptheory.system import interruption, threadpools

SCRIPT = Path(__file__).with_name("parallel_cases.py")
MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
COUNTED = ("seed", "counter")  # of stochastic depth
LIMITS = {"fused": 1e-5, "biases": 1e-5, "random": 1e-5, "fused-64": 1e-12}

# The command, of which the second process gets a signal after its third step.
SIGNALLED = """
import os, signal
from deeptheory import nn
from deeptheory.cli.main import main
from deeptheory.system import mpi_launch
take_step, n_steps = nn.SGD.step, iter(range(1, 100))
def step(optimiser, rate):
    take_step(optimiser, rate)
    if next(n_steps) == 3 and mpi_launch.place()[0] == 1:
        os.kill(os.getpid(), signal.SIGUSR2)
nn.SGD.step = step
main()
"""

needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None,
    reason="needs mpi4py and mpiexec: pip install '.[test]'",
)


@pytest.fixture(scope="module")
def cases():
    spec = importlib.util.spec_from_file_location("parallel_cases", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(n, *arguments):
    command = [MPIEXEC, "-n", str(n), sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def alone(cases, one_thread):
    """What one process trains; computed first, so that the kernels are compiled once."""
    results = {case: cases.train(case) for case in cases.NETWORKS}
    return {**results, "revised": cases.train("fused", revise=cases.halve_and_prune)}


@pytest.fixture(scope="module")
def results(cases, alone, tmp_path_factory):
    """The directory of what two processes have."""
    out = tmp_path_factory.mktemp("parallel")
    asked = iter(range(1, cases.STEPS))
    checkpoint = CheckpointStore(out / "alone.h5")
    with pytest.raises(interruption.Interrupted):
        cases.train("fused", checkpoint=checkpoint, should_stop=lambda: next(asked) == 10)
    ended = start(2, SCRIPT, out, *cases.NETWORKS, *(case for case in cases.OTHERS if case != "failing"))
    assert ended.returncode == 0, ended.stderr
    return out


def loaded(path):
    with np.load(path) as file:
        state = dict(file)
    return state, state.pop("loss")


def distance(state, expected):
    """Norm of the difference of all weights and running statistics, as a share of their norm."""
    assert state.keys() == expected.keys()
    names = [name for name in expected if not name.endswith(COUNTED)]
    for name in expected.keys() - set(names):
        np.testing.assert_array_equal(state[name], expected[name])
    pairs = [(state[name].astype(float), expected[name].astype(float)) for name in names]
    squares = np.array([(np.sum((a - b) ** 2), np.sum(b**2)) for a, b in pairs]).sum(axis=0)
    return float(np.sqrt(squares[0] / squares[1]))


@needs_mpi
@pytest.mark.parametrize("case", LIMITS)
def test_two_processes_train_as_one(alone, results, case):
    (expected, losses), limit = alone[case], LIMITS[case]
    for rank in range(2):
        state, loss = loaded(results / f"{case}-{rank}.npz")
        assert distance(state, expected) < limit
        np.testing.assert_allclose(loss, losses, rtol=limit)


@needs_mpi
def test_adam_clipping_and_early_stop_are_those_of_one_process_and_resumed_with_the_same_bits(
    results, cases, assert_same
):
    expected, losses = cases.adamw()
    for rank in range(2):
        state, loss = loaded(results / f"adamw-{rank}.npz")
        assert distance(state, expected) < 1e-9
        np.testing.assert_allclose(loss, losses, rtol=1e-9)
        again, loss_again = loaded(results / f"adamw-resumed-{rank}.npz")
        assert_same(again, state)
        np.testing.assert_array_equal(loss_again, loss)
    assert_same(*(loaded(results / f"adamw-{rank}.npz")[0] for rank in range(2)))


@needs_mpi
def test_three_processes_with_unequal_parts_train_as_one(alone, tmp_path, assert_same):
    # 24 inputs are 8 each, the last 8 of an epoch 2, 3 and 3.
    ended = start(3, SCRIPT, tmp_path, "fused-64")
    assert ended.returncode == 0, ended.stderr
    states = [loaded(tmp_path / f"fused-64-{rank}.npz")[0] for rank in range(3)]
    assert distance(states[2], alone["fused-64"][0]) < LIMITS["fused-64"]
    for state in states[1:]:
        assert_same(state, states[0])


@needs_mpi
def test_weights_and_masks_are_those_that_the_first_process_sets_before_an_epoch(alone, results, cases):
    for rank in range(2):
        state, _ = loaded(results / f"revised-{rank}.npz")
        assert distance(state, alone["revised"][0]) < 1e-5
        assert not state[cases.PRUNED][1::2].any()
        assert state[cases.PRUNED][::2].any()


@needs_mpi
def test_stop_in_one_process_stops_all_and_a_resumed_training_has_the_same_bits(results, assert_same):
    assert {path.name for path in results.glob("stopped-*")} == {"stopped-0", "stopped-1"}
    for rank in range(2):
        (state, loss), (whole, losses) = (
            loaded(results / f"{case}-{rank}.npz") for case in ("resumed", "fused")
        )
        assert_same(state, whole)
        np.testing.assert_array_equal(loss, losses)


@needs_mpi
def test_a_checkpoint_goes_on_with_another_number_of_processes(alone, results, cases):
    stopped = CheckpointStore(results / "stopped.h5")
    assert Checkpoint.from_stored(stopped.load()).step == 2
    state, _ = cases.train("fused", seed=6, checkpoint=stopped)
    assert distance(state, alone["fused"][0]) < 1e-5
    for rank in range(2):
        state, _ = loaded(results / f"begun-alone-{rank}.npz")
        assert distance(state, alone["fused"][0]) < 1e-5


@needs_mpi
def test_an_error_in_one_process_ends_all(tmp_path):
    ended = start(2, SCRIPT, tmp_path, "failing")
    assert ended.returncode == 2
    assert ended.stderr.count("InputError: node 2: expected a disk, found none") == 1


@needs_mpi
def test_train_command(config, tmp_path, deeptheory):
    out = tmp_path / "two"
    command = ["-m", "deeptheory", "train", config, "--set", "train.learning_rate=0.001", "--out"]
    for _ in range(2):  # the second finds the run done
        ended = start(2, *command, out)
        assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    assert deeptheory(*command[2:], tmp_path / "one", "--threads", 1).code == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "config.toml",
        "log.txt",
        "run.h5",
        "run.previous.h5",  # with the options and the data alone, from before the first checkpoint
    ]
    assert (out / "log.txt").read_text(encoding="utf-8").count("\n") == 1
    one, two = (Run(tmp_path / name, quiet=True) for name in ("one", "two"))
    assert (one.read_number("provenance/train/processes"), two.read_number("provenance/train/processes")) == (
        1,
        2,
    )
    assert two.read_number("provenance/train/threads") <= max(1, len(threadpools.processors()) // 2)
    np.testing.assert_allclose(
        two.read_array("train/history/loss"), one.read_array("train/history/loss"), rtol=1e-5
    )
    assert distance(two.read_arrays("train/state"), one.read_arrays("train/state")) < 1e-5

    ended = start(2, *command, out, "--seed", "4")
    assert ended.returncode == 2
    assert ended.stderr.count("error: ") == 1
    assert "seed = 3 there, 4 asked" in ended.stderr


@needs_mpi
def test_a_signal_to_one_process_stops_all_with_a_checkpoint(config, tmp_path, deeptheory):
    command = "train", config, "--out", tmp_path / "two"
    ended = start(2, "-c", SIGNALLED, *command)
    assert ended.returncode == interruption.EXIT_STOPPED, ended.stderr
    message = "two train stopped after step 3 of epoch 1; run the same command again to go on"
    assert ended.stderr.count("run the same command again") == ended.stderr.count(message) == 1
    assert "Abort" not in ended.stderr
    assert (tmp_path / "two" / "checkpoint.h5").exists()
    assert deeptheory(*command).code == 0
    assert Run(tmp_path / "two", quiet=True).done("train")


@needs_mpi
def test_an_error_that_all_processes_meet_is_reported_once(config, tmp_path):
    diverging = "--set", "train.learning_rate=1e9"
    ended = start(2, "-m", "deeptheory", "train", config, "--out", tmp_path / "two", *diverging)
    assert ended.returncode == 2
    assert ended.stderr.count("error: ") == ended.stderr.count("use a smaller learning_rate") == 1


def test_more_processes_than_inputs_of_a_batch_are_refused(cases):
    group = nn.Group()
    group.size = 9
    with pytest.raises(
        InputError, match="processes: expected at most 8, the inputs of the smallest batch, found 9"
    ):
        cases.train("biases", group=group)


@needs_mpi
def test_other_commands_are_refused_once():
    ended = start(2, "-m", "deeptheory", "measure", "nowhere")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "error: processes: expected 1 for this command, found 2; start it without mpiexec; "
        "only 'train' is computed by several\n"
    )


def test_missing_mpi4py_is_named_by_the_first_process(
    launched, monkeypatch, deeptheory, assert_refused, tmp_path
):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    launched(0)
    result = deeptheory("train", "any.toml", "--out", tmp_path)
    assert_refused(result, "expected mpi4py and an MPI library to join 2", "pip install 'deeptheory[mpi]'")
    launched(1)
    assert deeptheory("train", "any.toml", "--out", tmp_path) == (2, "", "")


def test_mpi4py_for_another_mpi_than_the_launcher_is_refused(launched, monkeypatch):
    launched(0)
    mpi = types.SimpleNamespace(COMM_WORLD=types.SimpleNamespace(size=1))
    monkeypatch.setitem(sys.modules, "mpi4py", types.SimpleNamespace(MPI=mpi))
    with pytest.raises(InputError, match="processes: expected 2, as the launcher started, found 1 in mpi4py"):
        nn.processes()


def test_without_other_processes_mpi_is_not_imported(launched, monkeypatch):
    launched(0, size=1)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert nn.processes() is nn.ALONE


def test_parts_make_up_the_batch():
    group = nn.Group()
    group.size = 3
    for n in (3, 7, 100):
        index = np.arange(n)
        parts = []
        for group.rank in range(3):
            parts.append(index[group.part(n)])
        np.testing.assert_array_equal(np.concatenate(parts), index)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
