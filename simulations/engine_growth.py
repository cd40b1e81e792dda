"""How the times of the engine grow with what is computed, and whether threads belong to one network or to seeds.

python simulations/engine_growth.py --out benchmarks/results/growth.json

Training steps of vgg11-10conv by batch, width, size of the images and labels, on one thread and on two; measuring
all stages by inputs, width and labels; and the steps per second of two networks on a thread each against one
network on both. One curve a line of CURVES; what is in the JSON file already is not computed again, so curves can
be computed one after the other, each in less than a minute on a quiet machine.
"""

import argparse
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import measure, nn
from deeptheory.bench.alternation import Child
from deeptheory.bench.cases import CASES, SEED, Setting, Task
from deeptheory.bench.engine_steps import training
from deeptheory.store.json_results import store_results, stored_results
from deeptheory.system import provenance, threadpools
from deeptheory.system.scripts import run_script

NETWORK = "vgg11-10conv"
SECONDS = 0.6  # a point is timed for at least
PLAIN = {"batch": 32, "width": 0.25, "size": 32, "labels": 100}
MEASURED = {"inputs": 1000, "width": 0.25, "labels": 100}
CURVES: dict[str, tuple[str, list[Any]]] = {
    "step by batch": ("batch", [4, 8, 16, 32, 64, 128, 256]),
    "step by width": ("width", [0.25, 0.5, 0.75, 1.0]),
    "step by size": ("size", [16, 32, 48, 64]),
    "step by labels": ("labels", [100, 300, 1000]),
    "measuring by inputs": ("inputs", [1000, 2000, 4000]),
    "measuring by width": ("width", [0.25, 0.5, 1.0]),
    "measuring by labels": ("labels", [10, 30, 100, 300, 1000]),
    "seeds": ("width", [0.25, 0.5, 1.0]),
}


def median_seconds(compute: Callable[[], object]) -> float:
    """Median time of a call, after one that may compile."""
    compute()
    times = list[float]()
    while sum(times) < SECONDS or len(times) < 3:
        started = time.perf_counter()
        compute()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def build(width: float, size: int, labels: int) -> nn.Network:
    """The network for images of that size."""
    return nn.build(NETWORK, labels, (size, size, 3), width=width, rng=np.random.default_rng(SEED))


def step(batch: int, width: float, size: int, labels: int) -> Callable[[], None]:
    """A training step; its inputs have the first hundred labels."""
    return training(build(width, size, labels), Setting(batch=batch, size=size))


def measuring(inputs: int, width: float, labels: int) -> Callable[[], object]:
    """Measuring all stages, on white noise."""
    rng, network = np.random.default_rng(SEED), build(width, 32, labels)
    images = rng.integers(0, 256, (inputs, 32, 32, 3), np.uint8)
    probes = {
        stage.name: rng.standard_normal((labels, math.prod(stage.output_shape)), np.float32)
        for stage in network.stages
    }
    order = np.arange(inputs) % labels
    return lambda: measure.measure_stages(network, images, order, probes, quiet=True)


def seconds_of(curve: str, value: Any, threads: int) -> float:
    """The time of one point."""
    made, fixed = (step, PLAIN) if curve.startswith("step") else (measuring, MEASURED)
    with threadpools.threads_chosen(threads):
        return median_seconds(made(**(fixed | {CURVES[curve][0]: value})))


def steps_per_second(width: float, networks: int, threads: int) -> float:
    """Of all networks together, each in a process of its own that trains on so many threads."""
    setting = Setting(network=NETWORK, width=width, batch=100, threads=threads)
    side = CASES["train-step"].ours
    children = [
        Child(str(n), Task(module=side.module, step=side.step, setting=setting)) for n in range(networks)
    ]
    for child in children:
        child.warm_up()
    count = 2 * children[0].steps
    with ThreadPoolExecutor(networks) as pool:
        replies = list(pool.map(lambda child: child.run(count), children))
    for child in children:
        child.__exit__(None)
    return sum(1 / float(np.median(reply.seconds)) for reply in replies)


def computed(curve: str, threads: list[int]) -> dict[str, Any]:
    """The points of a curve."""
    name, values = CURVES[curve]
    if curve == "seeds":
        return {
            "by": name,
            "values": values,
            "one network on both threads, steps/s": [steps_per_second(v, 1, 2) for v in values],
            "two networks on a thread each, steps/s": [steps_per_second(v, 2, 1) for v in values],
        }
    times = {f"{n} threads, s": [seconds_of(curve, value, n) for value in values] for n in threads}
    return {"by": name, "values": values, **times}


def main() -> None:
    """Compute the curves asked for that are not stored yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    parser.add_argument("--curves", nargs="*", choices=CURVES, default=list(CURVES))
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    arguments = parser.parse_args()
    setting = {"network": NETWORK, "threads": arguments.threads, "step": PLAIN, "measuring": MEASURED}
    results = stored_results(
        arguments.out, setting, lambda: {"machine": provenance.provenance(), "curves": {}}
    )
    for curve in arguments.curves:
        if curve not in results["curves"]:
            results["curves"][curve] = computed(curve, arguments.threads)
            store_results(arguments.out, results)


if __name__ == "__main__":
    run_script(main)
