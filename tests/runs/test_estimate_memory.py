"""The memory model, against what the steps allocate and what real runs take."""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from deeptheory.runs import steps
from deeptheory.runs.configuration import config_from, read_config, to_toml
from deeptheory.runs.estimates import disk_bytes, file_bytes, peaks, sizes_of, steps_until
from deeptheory.store import paths
from tests.conftest import TINY

PLENTY = 1e12
BEFORE = dict(zip(paths.STEPS[1:], paths.STEPS, strict=False))
DEMO = Path(__file__).parents[2] / "simulations" / "demo.toml"
COMMON = "train.epochs=5", "retrain.epochs=1", "data.n_labels=30"
WIDE = "data.size=32", "network.width=0.5", "data.train_per_label=100", "probe.inputs=2000"
# Every step in a process of its own, on one thread, as a command computes it; the second call finds the kernels.
ONE_STEP = """
import json, sys
from pathlib import Path
from deeptheory import machine
machine.configure(1)
from deeptheory.runs import Run, steps
from deeptheory.runs.configuration import read_config
from deeptheory.runs.estimates import peaks, sizes_of
file, directory, step = map(Path, sys.argv[1:])
run = Run.create(directory, read_config(file), True)
sizes = sizes_of(run.config)
expected = peaks(sizes, [step.name], machine.free_memory())[step.name].total
Path("/proc/self/clear_refs").write_text("5")
getattr(steps, step.name)(run)
print(json.dumps([expected, machine.process_memory("VmHWM")]))
"""


def of(step, free=PLENTY, **tables):
    return peaks(sizes_of(config_from({**TINY, **tables})), [step], free)[step]


def beside_the_program(parts):
    return parts.total - parts.program


def allocated(run, step):
    """Bytes that NumPy and Python allocate at most; what a run holds before is the same for all steps."""
    assert run.dataset.n_labels
    tracemalloc.start()
    try:
        getattr(steps, step)(run)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("step", ["measure", "prune", "retrain"])
def test_steps_allocate_what_is_foretold(run_until, step):
    run = run_until(BEFORE[step])
    found = allocated(run, step)
    assert 0.9 * found < beside_the_program(peaks(sizes_of(run.config), [step], PLENTY)[step]) < 1.25 * found


def test_predicting_stays_below_its_bound(run_until):
    run = run_until("measure")
    found = allocated(run, "predict")  # mixtures of few labels do not fill their working arrays
    assert found < beside_the_program(peaks(sizes_of(run.config), ["predict"])["predict"]) < found + 70e6


def test_features_take_what_there_is():
    data = {**TINY["data"], "train_per_label": 1000}
    sizes = sizes_of(config_from({**TINY, "data": data}))
    assert sizes.probed == ("stage1", "stage2", "stage3", "stage4")  # the head is the probe of the last
    needed = [4 * sizes.inputs["train"] * sizes.outputs[stage] for stage in sizes.probed]
    plenty, some, little = (
        peaks(sizes, ["measure"], free)["measure"].features for free in (PLENTY, 2.1 * sum(needed[:2]), 0.0)
    )
    assert (plenty - some, some - little) == (sum(needed[2:]), needed[1])
    assert of("measure", data=data, probe={"inputs": 500}).features < plenty / 4


def test_training_grows_with_batch_and_weights():
    plain, large = (of("train", train={**TINY["train"], "batch": batch}) for batch in (200, 300))
    assert large.activations > 1.3 * plain.activations
    assert (large.weights, large.data) == (plain.weights, plain.data)
    wide = of("train", train={**TINY["train"], "batch": 200}, network={"name": "vgg6", "width": 0.25})
    assert 3 * plain.weights < wide.weights < 5 * plain.weights


def test_seeds_share_their_sizes():
    one, other = (sizes_of(config_from({**TINY, "seed": seed})) for seed in (3, 4))
    assert one is other


def test_the_file_is_as_large_as_foretold(run):
    sizes = sizes_of(run.config)
    assert 0.7 < file_bytes(sizes, paths.STEPS) / run.results.stat().st_size < 1.1
    assert disk_bytes(sizes, paths.STEPS) > 3 * file_bytes(sizes, paths.STEPS)
    iterative = {**TINY["prune"], "schedule": "iterative", "rounds": 3, "density": 0.1}
    more = sizes_of(config_from({**TINY, "prune": iterative}))
    states = file_bytes(more, paths.STEPS) - file_bytes(sizes, paths.STEPS)
    assert states == 3 * len(run.config.prune.arms) * sizes.state


def test_steps_until():
    assert steps_until("train") == ("train",)
    assert steps_until("predict") == ("train", "measure", "predict")


@pytest.mark.slow
@pytest.mark.parametrize("options", [COMMON, (*COMMON, *WIDE)], ids=["16x16", "32x32"])
def test_real_runs_take_what_is_foretold(tmp_path, options):
    file = tmp_path / "run.toml"
    file.write_text(to_toml(read_config(DEMO, options)), encoding="utf-8")

    def step(name):
        command = [sys.executable, "-c", ONE_STEP, file, tmp_path / "run", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    for name in paths.STEPS:
        expected, measured = step(name)
        assert 0.9 < expected / measured < 1.25, name
