"""Times of the commands on a sweep of many members, whose run files are made up, as after `measure`.

    python simulations/sweep_scale.py out/scale --members 10000
    python simulations/sweep_scale.py out/scale --members 10000 --points 10000   # all of other options

The commands run in processes of their own. `sweep status` is timed twice: the second call knows the files that the
first one opened.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from deeptheory.runs import Run
from deeptheory.runs.configuration import config_from
from deeptheory.store import hdf5, paths
from deeptheory.store.atomic_files import write_text
from deeptheory.studies.sweep import Sweep, SweepOptions, expand
from deeptheory.studies.sweep.options import sweep_to_toml
from deeptheory.system.scripts import run_script

COMMON = {
    "data": {"n_labels": 5, "size": 16, "train_per_label": 20, "test_per_label": 10},
    "network": {"name": "vgg6", "width": 0.125},
    "train": {"epochs": 1, "batch": 20, "shift": 1, "flip": False},
    "prune": {"stages": ["stage4", "stage5"]},
}
STAGES = ("stage1", "stage2", "stage3", "stage4", "stage5")
NUMBERS = (
    "probe_accuracy",
    "clusters_per_filter",
    "cluster_size",
    "noise",
    "share_without_label",
    "snr_mean_field",
    "snr_measured",
)


def asked_for(members: int, points: int) -> Sweep:
    """A sweep of so many members at so many points, which differ in their threshold."""
    config = config_from({**COMMON, "judge": {"seeds": members // points}})
    values = np.linspace(0.1, 0.9, points).tolist()
    return Sweep(config, SweepOptions(steps="measure", grid={"prune.threshold": values}))


def make(directory: Path, sweep: Sweep) -> None:
    """The directory of the sweep, with a file for every member."""
    directory.mkdir(parents=True)
    write_text(directory / paths.SWEEP, sweep_to_toml(sweep))
    rng = np.random.default_rng(0)
    for member in expand(sweep):
        run = Run.create(directory / member.name, member.config, quiet=True)
        stage = {name: rng.random() for name in NUMBERS}
        stage |= {name: rng.random(16) for name in ("single_filter_accuracy", "served_label_auc")}
        stage |= {paths.SERVED: rng.random((16, 5)) < 0.2, paths.CLASS_MEANS: rng.random((5, 16, 16))}
        train = {paths.ACCURACY: {"test": rng.random(), "measure": rng.random()}, paths.FINISHED: "now"}
        measure = {paths.STAGE_NAMES: list(STAGES), paths.STAGES: dict.fromkeys(STAGES, stage)}
        with hdf5.open_for_writing(run.results) as file:
            run.describe(file)
            hdf5.write_tree(file, {"train": train, "measure": {**measure, paths.FINISHED: "now"}})


def timed(title: str, *arguments: str | Path) -> None:
    """One command, its time, that of the processor, and the end of what it says where it fails."""
    started, before = time.monotonic(), processor_seconds()
    command = [sys.executable, "-m", "deeptheory", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    taken = time.monotonic() - started, processor_seconds() - before
    print(f"{title:20} {taken[0]:8.1f} s, of processor time {taken[1]:8.1f} s", flush=True)
    if done.returncode:
        print(done.stdout[-500:], done.stderr[-2000:])


def processor_seconds() -> float:
    """Of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="made where it is not there, and kept")
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--points", type=int, default=100)
    given = parser.parse_args()
    sweep = asked_for(given.members, given.points)
    if not given.directory.exists():
        make(given.directory, sweep)
    file, kept = given.directory / paths.SWEEP, given.directory / paths.SWEEP_FINISHED
    kept.unlink(missing_ok=True)
    timed("sweep status", "sweep", "status", given.directory)
    timed("sweep status again", "sweep", "status", given.directory)
    timed("sweep collect", "sweep", "collect", given.directory)
    timed("sweep --dry-run", "sweep", file, "--out", given.directory, "--dry-run")
    timed("--dry-run, new", "sweep", file, "--out", given.directory.with_name("nothing"), "--dry-run")


if __name__ == "__main__":
    run_script(main)
